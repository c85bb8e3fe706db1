// SPDX-License-Identifier: Apache-2.0

// Package syncd runs the kernel's IPVS sync daemons: the master, which multicasts the state of this director's connections,
// and the backup, which takes the state that another director multicasts.
//
// What runs is desired state: [Plan] compares it with what there is, [Controller] makes it so and reads back whether it is.
// What must not run is stopped first, so that a director that is backup has no master left.
package syncd
