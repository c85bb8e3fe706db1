// SPDX-License-Identifier: Apache-2.0

// Package ipvs is the kernel's IPVS table as desired state.
//
// A [Table] says which virtual services there are and which destinations (real servers) each has. [Plan] compares a wanted
// table with the present one and returns the operations that lead from this to that; [Kernel] reads the present table and
// carries operations out, [Fake] does so in memory. Nothing is ever flushed and filled again: what does not differ is not
// touched, so its connections stay.
//
// The kernel's numbers come from github.com/moby/ipvs, which is also the counterpart in the tests. The messages are this
// package's own, over package genl: moby/ipvs cannot be given a deadline (a lost acknowledgement blocks it for ever),
// resolves the family once in a process and goes on without it, sends no destination address family, reads weights with 16
// bits and has no batches.
//
// Not represented: services by firewall mark (left out when reading, never touched), persistence engines and tunnel
// encapsulation options (not compared; changing such a service or destination resets them to none and plain IPIP).
package ipvs
