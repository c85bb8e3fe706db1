// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// place is where a key and its value stand in the file, as byte offsets. Places form a tree of the same shape as the
// values that the TOML decoder returns, which come without positions.
type place struct {
	key    int               // of the key; of an array's element: same as value
	value  int               // of the value; of a table: of its header's or its own opening bracket
	fields map[string]*place // of a table
	items  []*place          // of an array, and of an array of tables
}

// field returns the place of a key of the table p, or p itself, as if the key stood there, if p has no such key.
func (p *place) field(key string) *place {
	if f := p.fields[key]; f != nil {
		return f
	}
	return &place{key: p.key, value: p.value}
}

// item returns the place of the i-th element of the array p, or p itself, as if the element stood there.
func (p *place) item(i int) *place {
	if i < len(p.items) {
		return p.items[i]
	}
	return &place{key: p.value, value: p.value}
}

// child returns the place of a key of the table p, and makes one where there is none yet.
func (p *place) child(s segment, value int) *place {
	if f := p.fields[s.name]; f != nil {
		return f
	}
	if p.fields == nil {
		p.fields = make(map[string]*place)
	}
	f := &place{key: s.at, value: value}
	p.fields[s.name] = f
	return f
}

// last returns the table that a header means by the name of p: of an array of tables, the last one.
func (p *place) last() *place {
	if n := len(p.items); n > 0 {
		return p.items[n-1]
	}
	return p
}

// segment is one name of a dotted key.
type segment struct {
	name string
	at   int
}

// scanner finds the places in a TOML document. It relies on the decoder having accepted the document, and checks
// nothing itself: of another document it finds some places and then stops.
type scanner struct {
	data string
	at   int
}

// scan returns the place of the document's top-level table.
func scan(data string) *place {
	s := &scanner{data: data}
	root := &place{}
	current := root
	for s.skipBlank(); s.at < len(s.data); s.skipBlank() {
		before := s.at
		if s.peek() == '[' {
			current = s.header(root)
		} else {
			s.keyValue(current)
		}
		if s.at == before {
			return root
		}
	}
	return root
}

// header reads [a.b] or [[a.b]] and returns the place of the table that it opens.
func (s *scanner) header(root *place) *place {
	start := s.at
	brackets := "["
	if strings.HasPrefix(s.data[s.at:], "[[") {
		brackets = "[["
	}
	s.at += len(brackets)
	path := s.path()
	s.at = min(s.at+len(brackets), len(s.data))

	table := root
	for i, name := range path {
		known := table.fields[name.name] != nil
		table = table.child(name, start)
		if i < len(path)-1 {
			table = table.last()
			continue
		}
		if brackets == "[[" {
			table.items = append(table.items, &place{key: name.at, value: start})
			table = table.last()
		} else if known { // so far only named by the headers of its own tables
			table.key, table.value = name.at, start
		}
	}
	return table
}

// keyValue reads a.b = value into the table.
func (s *scanner) keyValue(table *place) {
	path := s.path()
	if len(path) == 0 {
		return
	}
	for _, name := range path[:len(path)-1] {
		table = table.child(name, name.at)
	}
	if s.peek() != '=' {
		return
	}
	s.at++
	s.skipSpace()
	s.value(table.child(path[len(path)-1], s.at))
}

// value reads a value whose place is known and fills in what it contains.
func (s *scanner) value(p *place) {
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.at++
		for s.skipSeparators(); s.at < len(s.data) && s.peek() != ']'; s.skipSeparators() {
			before := s.at
			item := &place{key: s.at, value: s.at}
			p.items = append(p.items, item)
			if s.value(item); s.at == before {
				return
			}
		}
		s.at = min(s.at+1, len(s.data))
	case '{':
		s.at++
		for s.skipSeparators(); s.at < len(s.data) && s.peek() != '}'; s.skipSeparators() {
			before := s.at
			if s.keyValue(p); s.at == before {
				return
			}
		}
		s.at = min(s.at+1, len(s.data))
	default: // a number, a boolean, a date
		s.skipTo(",]}#\r\n")
	}
}

// path reads a dotted key and the space after it.
func (s *scanner) path() []segment {
	var path []segment
	for {
		s.skipSpace()
		name := segment{at: s.at}
		if c := s.peek(); c == '"' || c == '\'' {
			name.name = unquote(s.quoted())
		} else {
			s.skipTo(" \t.=]#\r\n")
			name.name = s.data[name.at:s.at]
		}
		if s.at == name.at {
			return path
		}
		path = append(path, name)
		s.skipSpace()
		if s.peek() != '.' {
			return path
		}
		s.at++
	}
}

// quoted reads a string of any of the four kinds and returns it with its quotes.
func (s *scanner) quoted() string {
	start := s.at
	quote := s.data[s.at : s.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.data[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.data) && !strings.HasPrefix(s.data[s.at:], quote) {
		if quote[0] == '"' && s.data[s.at] == '\\' {
			s.at++
		}
		s.at++
	}
	s.at = min(s.at+len(quote), len(s.data))
	for len(quote) == 3 && s.peek() == quote[0] { // """a"""" ends in a quote of its own
		s.at++
	}
	return s.data[start:s.at]
}

// unquote returns the text of a quoted key. Only the decoder knows all of TOML's escapes.
func unquote(quoted string) string {
	var v struct{ Key string }
	if _, err := toml.Decode("Key = "+quoted, &v); err != nil {
		return quoted
	}
	return v.Key
}

// peek returns the byte at the scanner, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// skipSpace moves past white space within a line.
func (s *scanner) skipSpace() { s.skipAny(" \t") }

// skipBlank moves past white space, line ends and comments.
func (s *scanner) skipBlank() { s.skipWithComments(" \t\r\n") }

// skipSeparators moves past all that may stand between the elements of an array or of an inline table.
func (s *scanner) skipSeparators() { s.skipWithComments(" \t\r\n,") }

func (s *scanner) skipWithComments(set string) {
	for s.skipAny(set); s.peek() == '#'; s.skipAny(set) {
		s.skipTo("\n")
	}
}

// skipAny moves past all bytes of the set.
func (s *scanner) skipAny(set string) {
	for s.at < len(s.data) && strings.IndexByte(set, s.data[s.at]) >= 0 {
		s.at++
	}
}

// skipTo moves to the first byte of the set, or to the end.
func (s *scanner) skipTo(set string) {
	if n := strings.IndexAny(s.data[s.at:], set); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.data)
	}
}
