// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

// startPair starts d1 first, so that it becomes master at once.
func (d *demo) startPair(ctx context.Context) (d1, d2 *pair.Director, err error) {
	d.step("Two directors start: d1, with the higher priority, then d2")
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for _, node := range []string{"d1", "d2"} {
		if _, err := d.pair.Output(ctx, node, "lvs-ha", "check", "-c", configFile); err != nil {
			return nil, nil, err
		}
		d.say(node, "lvs-ha check -c %s: usable", configFile)
	}
	if err := d.firstAnswers(ctx); err != nil {
		return nil, nil, err
	}
	d.say("demo", "a line for each entry of the IPVS tables, and for each first probe, is left out")
	d.setBrief(true)
	defer d.setBrief(false)
	if d1, err = d.startDirector(ctx, "d1"); err != nil {
		return nil, nil, err
	}
	if err := d.pair.WaitVIP(ctx, "d1", vip, true); err != nil {
		return nil, nil, err
	}
	if d2, err = d.startDirector(ctx, "d2"); err != nil {
		return nil, nil, err
	}
	if err := d2.WaitStatus(ctx, "following d1", follows); err != nil {
		return nil, nil, err
	}
	d.say("demo", "d1 is master and has the VIP, d2 is backup; both have the same IPVS table and probe all real servers")
	if err := d.show(ctx, "d1", "ipvsadm", "-Ln"); err != nil {
		return nil, nil, err
	}
	return d1, d2, d.showStatus(ctx, "d1", "d2")
}

// firstAnswers asks each real server once: in an emulated machine a program's
// first answer takes longer than a probe waits.
func (d *demo) firstAnswers(ctx context.Context) error {
	for _, server := range []string{webServer1, webServer2} {
		err := d.pair.Node("d1").Do(func() error { return answers(ctx, server) })
		if err != nil {
			return fmt.Errorf("ask real server %s from d1: %w", server, err)
		}
	}
	d.say("demo", "both real servers answer the directors")
	return nil
}

// answers sends an HTTP request and waits for the end of the answer.
func answers(ctx context.Context, server string) error {
	conn, err := net.Dial("tcp", server) // in the calling thread, which is in the node
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !bytes.Contains(answer, []byte(" 200 ")) {
		err = fmt.Errorf("it says %q", answer)
	}
	return err
}

// startDirector starts one, and waits until it has probed all real servers.
func (d *demo) startDirector(ctx context.Context, node string) (*pair.Director, error) {
	director, err := d.pair.StartDirector(node, d.teller(node))
	if err != nil {
		return nil, err
	}
	return director, director.WaitStatus(ctx, "all probes healthy", pair.AllHealthy)
}

// follows says that a director is backup and hears a master.
func follows(s control.Status) bool {
	return len(s.Instances) == 1 && s.Instances[0].State == "backup" && s.Instances[0].Peer != ""
}

// show prints the output of a command on a director.
func (d *demo) show(ctx context.Context, node, name string, args ...string) error {
	out, err := d.pair.Output(ctx, node, name, args...)
	if err != nil {
		return err
	}
	d.block(strings.Join(append([]string{node + "# " + name}, args...), " "), out)
	return nil
}

// showStatus prints lvs-ha status of directors.
func (d *demo) showStatus(ctx context.Context, nodes ...string) error {
	for _, node := range nodes {
		if err := d.show(ctx, node, "lvs-ha", "status"); err != nil {
			return err
		}
	}
	return nil
}
