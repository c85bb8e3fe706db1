// SPDX-License-Identifier: Apache-2.0

package meter

// Report is what a run of the meter found.
type Report struct {
	// Start and End are when sending began and ended.
	Start Instant `json:"start"`
	End   Instant `json:"end"`
	// UDP, HTTP and TCP are nil where there was no such stream.
	UDP  *StreamReport      `json:"udp,omitempty"`
	HTTP *StreamReport      `json:"http,omitempty"`
	TCP  *ConnectionsReport `json:"tcp,omitempty"`
}

// StreamReport is the account of one stream of requests.
type StreamReport struct {
	// Sent is how many requests were sent, Answered how many got a valid answer
	// and Lost how many did not.
	Sent     uint64 `json:"sent"`
	Answered uint64 `json:"answered"`
	Lost     uint64 `json:"lost"`
	// ByServer is how many requests each server answered, by its name.
	ByServer map[string]uint64 `json:"by_server"`
	// Errors is how often each error was met: the socket's, or an answer that was
	// not valid. A datagram that is merely lost is no error.
	Errors map[string]uint64 `json:"errors"`
	// FirstError and LastError are the times of the first and the last error, zero if none.
	FirstError Instant `json:"first_error,omitzero"`
	LastError  Instant `json:"last_error,omitzero"`
	// LongestSilence is the longest time between two answers, from the start to
	// the first, or from the last to the end of sending; LongestSilenceStart is
	// when it began.
	LongestSilence      Millis  `json:"longest_silence_ms"`
	LongestSilenceStart Instant `json:"longest_silence_start,omitzero"`
	// LongestOutage is the longest time in which every request was lost, from the
	// first lost one to the next that was answered or to the end of sending;
	// LongestOutageStart is when it began. Unlike a silence it is never a mere
	// delay, such as that of a starved CPU. Not for TCP.
	LongestOutage      Millis  `json:"longest_outage_ms,omitzero"`
	LongestOutageStart Instant `json:"longest_outage_start,omitzero"`
	// LongestPause is the longest time between two requests. A silence no longer
	// than this may be the meter's own, starved of CPU. Not for TCP, where a
	// request waits for the answer before it.
	LongestPause Millis `json:"longest_pause_ms,omitzero"`
	// SilenceCount is how many silences were longer than the stream's interval by
	// the listing threshold; Silences are at most the 50 longest of them, in the
	// order of time.
	SilenceCount int       `json:"silence_count"`
	Silences     []Silence `json:"silences"`
}

// ConnectionsReport is the account of long-lived connections. Its silences are
// those of single connections; a connection's last one ends when it breaks.
type ConnectionsReport struct {
	StreamReport
	// Opened is how many connections were established, Refused how many could not be.
	Opened  int `json:"opened"`
	Refused int `json:"refused"`
	// Broken is how many of the opened ones ended with an error before the run did.
	Broken int `json:"broken"`
	// Stalled is how many still waited for an answer when the run ended.
	Stalled int `json:"stalled"`
	// SequenceErrors is how many answers had the wrong number, or came from
	// another server than the connection's first.
	SequenceErrors int `json:"sequence_errors"`
}
