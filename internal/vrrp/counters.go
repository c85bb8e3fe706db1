// SPDX-License-Identifier: Apache-2.0

package vrrp

// Counters counts what a [Group] sent and received since it was made.
type Counters struct {
	// Received counts all packets handed to the group, refused ones included.
	Received uint64
	// Sent counts the messages the group made, over unicast one for each peer.
	Sent uint64
	// Discarded counts the refused packets by reason: index it with a [Discard].
	Discarded [discardCount]uint64
	// Unsigned counts messages without trailer that passed the authentication
	// because its mode is not to enforce one yet.
	Unsigned uint64
	// IntervalMismatch counts accepted advertisements whose interval is not
	// ours (RFC 9568 section 7.1: log, never drop).
	IntervalMismatch uint64
	// AddressMismatch counts accepted advertisements whose addresses are not
	// ours, in whatever order (RFC 9568 section 7.1: log, never drop; in version
	// 2 those of an address owner alone).
	AddressMismatch uint64
	// DuplicateOwner counts accepted advertisements of an address owner while
	// we are one too (RFC 9568 section 8.3.2).
	DuplicateOwner uint64
}
