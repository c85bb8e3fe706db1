// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// orderTimeout bounds the wait for a hand-over: longer than the longest skew
// time.
const orderTimeout = 50 * time.Second

func standbyCommand() *cobra.Command {
	return orderCommand(&cobra.Command{
		Use:   "standby [INSTANCE]",
		Short: "Hand the role over and keep out of mastership until resume",
		Long: "Hand the role of a VRRP instance over, or of all of them, and keep out of mastership until `lvs-ha resume`.\n" +
			"The peer takes over first, then the VIPs go. Where no peer takes over, the instance stays master and the\n" +
			"command fails. The order survives reloads and restarts of the daemon.",
		Args: cobra.MaximumNArgs(1),
	}, "standby", func(ctx context.Context, c *control.Client, args []string) error {
		return c.Standby(ctx, first(args))
	})
}

func resumeCommand() *cobra.Command {
	return orderCommand(&cobra.Command{
		Use:   "resume [INSTANCE]",
		Short: "End standby",
		Args:  cobra.MaximumNArgs(1),
	}, "resume", func(ctx context.Context, c *control.Client, args []string) error {
		return c.Resume(ctx, first(args))
	})
}

func priorityCommand() *cobra.Command {
	c := orderCommand(&cobra.Command{
		Use:   "priority INSTANCE N|default",
		Short: "Replace the configured priority of an instance",
		Long: "Replace the configured priority of a VRRP instance by N, 1 to 254, until `lvs-ha priority INSTANCE default`.\n" +
			"The order survives reloads and restarts of the daemon. Tracked objects add to it as to the configured one.",
		Args: cobra.ExactArgs(2),
	}, "priority", func(ctx context.Context, c *control.Client, args []string) error {
		if args[1] == "default" {
			return c.SetPriority(ctx, args[0], 0)
		}
		n, err := strconv.ParseUint(args[1], 10, 8)
		if err != nil || n < 1 || n > 254 {
			return badPriority(args[1])
		}
		return c.SetPriority(ctx, args[0], uint8(n))
	})
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		var unknown interface{ GetSpecifiedShortnames() string }
		if !errors.As(err, &unknown) {
			return err
		}
		number := "-" + unknown.GetSpecifiedShortnames()
		if _, notOne := strconv.ParseFloat(number, 64); notOne != nil {
			return err
		}
		return fmt.Errorf("priority: %w", badPriority(number))
	})
	return c
}

func badPriority(text string) error {
	return fmt.Errorf("%q is no priority: it is 1 to 254, or default for the configured one", text)
}

// orderCommand completes a command that gives the daemon an order.
func orderCommand(c *cobra.Command, verb string, order func(context.Context, *control.Client, []string) error) *cobra.Command {
	var daemon daemonFlags
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), orderTimeout)
		defer cancel()
		if err := daemon.ask(c, func(client *control.Client) error { return order(ctx, client, args) }); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		return nil
	}
	daemon.add(c)
	return c
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
