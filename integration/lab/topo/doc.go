// SPDX-License-Identifier: Apache-2.0

// Package topo builds the topology of a containerlab file from network namespaces.
//
// A node becomes one network, one mount and one UTS namespace over the host's own files; a link becomes a veth pair; a
// node of kind bridge becomes a Linux bridge in a network namespace of its own, so that nothing of the lab is ever
// plugged into the host's network. The namespaces are kept alive by mounts (/run/netns/clab-LAB-NODE, as containerlab
// names them, and /run/lvs-ha-lab/LAB), not by processes: another process can enter them, and there is nothing to
// guard. Everything else is removed by what it lives in: links end with their namespaces, files with the lab's tmpfs.
//
// What differs from containerlab, for want of a container:
//
//   - image and the other keys that only a container engine understands are read and ignored; a key that would change
//     what the node does (sysctls, startup-config, ...) is refused instead of being skipped silently;
//   - an exec line that fails makes Up fail, and cmd is started after the exec lines, since nothing restarts it;
//   - the file is not passed through environment substitution: a "$" means itself;
//   - nodes share the host's file system, except /run, /sys and the binds.
package topo
