// SPDX-License-Identifier: Apache-2.0

package track

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Numbers of include/uapi/linux/connector.h and cn_proc.h.
const (
	cnIndexProc = 1 // CN_IDX_PROC, also the multicast group
	cnValueProc = 1 // CN_VAL_PROC

	mcastListen = 1 // PROC_CN_MCAST_LISTEN
	mcastIgnore = 2 // PROC_CN_MCAST_IGNORE

	eventNone = 0          // PROC_EVENT_NONE: the answer to a request
	eventFork = 1          // PROC_EVENT_FORK
	eventExec = 2          // PROC_EVENT_EXEC
	eventComm = 0x200      // PROC_EVENT_COMM
	eventExit = 0x80000000 // PROC_EVENT_EXIT

	sizeConnector = 20 // struct cn_msg
	sizeEvent     = 16 // struct proc_event without its union
)

// procEventKind is what happened to a process.
type procEventKind uint8

const (
	answered procEventKind = iota // to our request; no process
	changed                       // it is new, runs another program, or calls itself something else
	ended
)

// procEvent is a message of the process connector. Those about threads are left out.
type procEvent struct {
	kind procEventKind
	pid  int           // of the process: the thread group ID
	err  syscall.Errno // with answered: 0 is success
	ack  uint32        // with answered: that of the request and one
}

// parseProcEvents reads a datagram of the process connector. Messages of other kinds are left out.
func parseProcEvents(datagram []byte) ([]procEvent, error) {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return nil, fmt.Errorf("read process event: %w", err)
	}
	var events []procEvent
	for _, m := range messages {
		if e, ok := parseProcEvent(m.Data); ok {
			events = append(events, e)
		}
	}
	return events, nil
}

// parseProcEvent reads a struct cn_msg with a struct proc_event.
func parseProcEvent(b []byte) (procEvent, bool) {
	if len(b) < sizeConnector+sizeEvent {
		return procEvent{}, false
	}
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	if u32(0) != cnIndexProc || u32(4) != cnValueProc {
		return procEvent{}, false
	}
	what, data := u32(sizeConnector), b[sizeConnector+sizeEvent:]
	id := func(n int) int { return int(int32(binary.NativeEndian.Uint32(data[4*n:]))) }
	switch {
	case what == eventNone && len(data) >= 4:
		return procEvent{kind: answered, err: syscall.Errno(id(0)), ack: u32(12)}, true
	case what == eventFork && len(data) >= 16 && id(2) == id(3): // parent and child, each thread and process
		return procEvent{kind: changed, pid: id(3)}, true
	case (what == eventExec || what == eventComm) && len(data) >= 8 && id(0) == id(1): // thread and process
		return procEvent{kind: changed, pid: id(1)}, true
	case what == eventExit && len(data) >= 8 && id(0) == id(1):
		return procEvent{kind: ended, pid: id(1)}, true
	}
	return procEvent{}, false
}

// request is the netlink message that turns the events on or off. The kernel does not repeat the sequence number of a request
// in its answer (send_msg of drivers/connector/cn_proc.c), but its acknowledgement number and one.
func request(operation, ack uint32) []byte {
	const size = unix.SizeofNlMsghdr + sizeConnector + 4
	b := make([]byte, 0, size)
	for _, u32 := range []uint32{
		size, unix.NLMSG_DONE, 0, 0, // struct nlmsghdr: length, type and flags (one u16 each), sequence, port
		cnIndexProc, cnValueProc, 0, ack, // struct cn_msg: id, seq, ack,
		4, // len and flags (one u16 each)
		operation,
	} {
		b = binary.NativeEndian.AppendUint32(b, u32)
	}
	return b
}
