// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is one transition of an instance. The names of its JSON form and of its environment variables never change.
type Event struct {
	At       time.Time `json:"at"`       // RFC 3339 with fractions of a second; LVSHA_AT
	Event    string    `json:"event"`    // "master", "backup", "fault" or "stop"; LVSHA_EVENT
	Instance string    `json:"instance"` // its name; LVSHA_INSTANCE
	From     string    `json:"from"`     // state before; LVSHA_FROM
	To       string    `json:"to"`       // state after; LVSHA_TO
	Reason   string    `json:"reason"`   // in words; LVSHA_REASON
	Priority uint8     `json:"priority"` // in effect at that time; LVSHA_PRIORITY
	Peer     string    `json:"peer"`     // address of the router that gave cause, empty if none did; LVSHA_PEER
}

// input is the event as the command's standard input: one JSON object in one line.
func (e Event) input() ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write event of %s as JSON: %w", e.Instance, err)
	}
	return append(text, '\n'), nil
}

// environment is the event as environment variables. A zero byte, which those cannot hold, is left out.
func (e Event) environment() []string {
	variables := []string{
		"LVSHA_EVENT=" + e.Event,
		"LVSHA_INSTANCE=" + e.Instance,
		"LVSHA_FROM=" + e.From,
		"LVSHA_TO=" + e.To,
		"LVSHA_REASON=" + e.Reason,
		"LVSHA_PRIORITY=" + strconv.Itoa(int(e.Priority)),
		"LVSHA_PEER=" + e.Peer,
		"LVSHA_AT=" + e.At.Format(time.RFC3339Nano),
	}
	for i, v := range variables {
		variables[i] = strings.ReplaceAll(v, "\x00", "")
	}
	return variables
}
