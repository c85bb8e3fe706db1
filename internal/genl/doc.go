// SPDX-License-Identifier: Apache-2.0

// Package genl is a connection to the kernel's generic netlink family "IPVS": it sends commands, one at a time or many in
// one datagram, and tells the outcome of each.
//
// It knows nothing of what the commands mean: the attributes belong to the packages that use it (ipvs for services and
// destinations, syncd for the sync daemons; include/uapi/linux/ip_vs.h). What it guarantees to them:
//
//   - no call waits for ever: every wait for an answer has a deadline, and ends with the context;
//   - an answer is never taken for the answer to another request: after a lost one the socket is replaced;
//   - a kernel without IPVS is an error, [ErrNoIPVS], never a success.
package genl
