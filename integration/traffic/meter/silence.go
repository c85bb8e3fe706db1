// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"cmp"
	"slices"
	"time"
)

// maxSilences is how many silences a report lists.
const maxSilences = 50

// Silence is a time without an answer.
type Silence struct {
	// Start is when the last answer before it came.
	Start Instant `json:"start"`
	// Length is how long it took until the next one came.
	Length Millis `json:"length_ms"`
}

// silences keeps the longest silence, and those of at least threshold: how many
// there were, and the longest maxSilences of them.
type silences struct {
	threshold time.Duration
	longest   Silence
	count     int
	kept      []Silence
}

// add takes the time between two answers.
func (s *silences) add(from, to time.Time) {
	length := to.Sub(from)
	silence := Silence{Instant{from}, Millis(length)}
	if length > time.Duration(s.longest.Length) {
		s.longest = silence
	}
	if length < s.threshold {
		return
	}
	s.count++
	if len(s.kept) < maxSilences {
		s.kept = append(s.kept, silence)
		return
	}
	shortest := 0
	for i := range s.kept {
		if s.kept[i].Length < s.kept[shortest].Length {
			shortest = i
		}
	}
	if s.kept[shortest].Length < silence.Length {
		s.kept[shortest] = silence
	}
}

// list returns the kept silences in the order of time.
func (s *silences) list() []Silence {
	list := append([]Silence{}, s.kept...)
	slices.SortFunc(list, func(a, b Silence) int {
		return cmp.Or(a.Start.Compare(b.Start.Time), cmp.Compare(a.Length, b.Length))
	})
	return list
}
