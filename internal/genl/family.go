// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// ErrNoIPVS says that the running kernel has no IPVS and that its module could not be loaded.
var ErrNoIPVS = errors.New("kernel has no IPVS")

const (
	familyName = "IPVS" // IPVS_GENL_NAME
	module     = "ip_vs"

	// loadTimeout bounds what loads the module: modprobe, and before it the look-up itself, during which the kernel runs
	// modprobe where the module has an alias for the family.
	loadTimeout = 10 * time.Second

	// receiveBuffer is the size of the largest datagram of a dump (netlink_dump in net/netlink/af_netlink.c). The kernel fills
	// as much as the reader has shown to have room for; without a size the library asks for each datagram's first.
	receiveBuffer = 32 << 10 // bytes
)

// connect opens the socket and resolves the family, unless both are there. The number of the family changes when the module
// is loaded again, so it is resolved for each socket.
func (c *Conn) connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.netlink != nil {
		return nil
	}
	nl, err := netlink.Dial(genetlink.Protocol, &netlink.Config{MessageBufferSize: receiveBuffer})
	if err != nil {
		return fmt.Errorf("open generic netlink socket: %w", err)
	}
	family, err := resolve(ctx, nl)
	if err != nil {
		_ = nl.Close()
		return err
	}
	c.netlink, c.family = nl, family
	return nil
}

func resolve(ctx context.Context, nl *netlink.Conn) (uint16, error) {
	family, err := lookUp(nl)
	if !errors.Is(err, os.ErrNotExist) {
		return family, err
	}
	failure := loadModule(ctx)
	family, err = lookUp(nl)
	if !errors.Is(err, os.ErrNotExist) {
		return family, err
	}
	if failure == nil {
		failure = errors.New("modprobe reports success, but the IPVS family is still missing")
	}
	return 0, fmt.Errorf("%w: module %s could not be loaded (%w): boot a kernel built with CONFIG_IP_VS; "+
		"in a container run `modprobe %s` on the host first", ErrNoIPVS, module, failure, module)
}

func lookUp(nl *netlink.Conn) (uint16, error) {
	if err := nl.SetDeadline(time.Now().Add(loadTimeout)); err != nil {
		return 0, err
	}
	family, err := genetlink.NewConn(nl).GetFamily(familyName)
	if err != nil {
		return 0, fmt.Errorf("look up generic netlink family %s: %w", familyName, err)
	}
	return family.ID, nl.SetDeadline(time.Time{})
}

func loadModule(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	path, err := exec.LookPath("modprobe")
	if err != nil {
		path = "/sbin/modprobe" // a service's PATH may lack the sbin folders
	}
	out, err := exec.CommandContext(ctx, path, module).CombinedOutput()
	if err != nil {
		if said := bytes.TrimSpace(out); len(said) > 0 {
			return fmt.Errorf("%s %s: %w: %s", path, module, err, said)
		}
		return fmt.Errorf("%s %s: %w", path, module, err)
	}
	return nil
}
