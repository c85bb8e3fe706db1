// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// The roles of a router.
const (
	master = "master"
	backup = "backup"
)

// router is a VRRP router at one end of a link. It can be started again once it
// has stopped.
type router interface {
	start(ctx context.Context) error
	// resign ends it as its operator would.
	resign(ctx context.Context) error
	// die ends it with SIGKILL.
	die()
	// waitRole waits until it says itself that it has the role.
	waitRole(ctx context.Context, role string) error
	// role returns its role by its own word, and a mark that stays the same as
	// long as the role does.
	role(ctx context.Context) (role string, mark int64, err error)
	// complaints returns what it says is wrong with what it received.
	complaints(ctx context.Context) (string, error)
	// log returns all that it wrote.
	log() string
}

// speaking is the part of a router that tells its role by its log.
type speaking struct {
	main  *process // nil until it is started
	out   *output
	since int // length of the log when it was started
	// enters matches the words on a change of role, and the new role in them;
	// complains the words on a packet that it refuses.
	enters, complains *regexp.Regexp
}

func (s *speaking) log() string { return s.out.String() }

func (s *speaking) waitRole(ctx context.Context, role string) error {
	return s.out.wait(ctx, s.main, "it is "+role, func(text string) bool {
		now, _ := s.lastRole(text)
		return now == role
	})
}

func (s *speaking) role(context.Context) (string, int64, error) {
	role, changes := s.lastRole(s.log())
	if s.main.ended() {
		return "", 0, fmt.Errorf("%s ended: %v", s.main.cmd.Path, s.main.err)
	}
	return role, changes, nil
}

// lastRole returns the role, and how often it changed since the start.
func (s *speaking) lastRole(text string) (role string, changes int64) {
	found := s.enters.FindAllStringSubmatch(text[s.since:], -1)
	if len(found) == 0 {
		return "", 0
	}
	return strings.ToLower(found[len(found)-1][1]), int64(len(found))
}

func (s *speaking) complaints(context.Context) (string, error) {
	var lines []string
	for line := range strings.Lines(s.log()) {
		if s.complains.MatchString(line) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n"), nil
}
