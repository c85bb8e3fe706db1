// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// removeRoutes removes the routes of ours that are not wanted, and returns the operations that add what is missing. may is
// whether the kernel may have routes of ours.
func (p *pass) removeRoutes(want []Route, may *bool) (missing []operation) {
	if len(want) == 0 && !*may {
		return nil
	}
	have, err := p.kernel.routes(p.links)
	if err != nil {
		p.fail(err)
		return nil
	}
	var usable []Route
	for _, r := range want {
		err := r.check()
		if err == nil && r.Interface != "" && p.links.index(r.Interface) == 0 {
			err = errors.New("no such interface")
		}
		if err != nil {
			p.fail(fmt.Errorf("add route %s: %w", r, err))
			continue
		}
		usable = append(usable, r.normal())
	}
	removals, additions := planRoutes(usable, have)
	*may = len(want) > 0
	for _, err := range p.apply(removals) {
		*may = *may || err != nil
	}
	return additions
}

// planRoutes returns the operations that turn the routes of ours that the kernel has into the wanted ones. The wanted
// routes are normal ones.
func planRoutes(want, have []Route) (removals, additions []operation) {
	kept := make([]bool, len(have))
	seen := make(map[Route]bool)
next:
	for _, w := range want {
		if seen[w] {
			continue
		}
		seen[w] = true
		for i, r := range have {
			if !kept[i] && w.fits(r) {
				kept[i] = true
				continue next
			}
		}
		additions = append(additions, routeOp{route: w})
	}
	for i, r := range have {
		if !kept[i] {
			removals = append(removals, routeOp{remove: true, route: r})
		}
	}
	return removals, additions
}

// fits reports whether the kernel's route r is the wanted one.
func (r Route) fits(kernels Route) bool {
	if r.Interface == "" {
		kernels.Interface = ""
	}
	return r == kernels
}

// outcome implements operation.
func (o routeOp) outcome(err error) error {
	switch {
	case o.remove && errors.Is(err, unix.ESRCH):
		return nil
	case o.remove:
		return fmt.Errorf("remove route %s: %w", o.route, explain(err))
	case errors.Is(err, unix.EEXIST):
		err = errors.New("a route of somebody else to this destination has the same metric; remove that one, or choose another metric")
	case errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH):
		err = fmt.Errorf("%w (is the gateway in a subnet of an interface that is up?)", err)
	case errors.Is(err, unix.EINVAL) && o.route.Source.IsValid():
		err = fmt.Errorf("%w (is %s an address of this host?)", err, o.route.Source)
	}
	return fmt.Errorf("add route %s: %w", o.route, explain(err))
}

// removeRules removes the rules of ours that are not wanted, and returns the operations that add what is missing. may is
// whether the kernel may have rules of ours.
func (p *pass) removeRules(want []Rule, may *bool) (missing []operation) {
	if len(want) == 0 && !*may {
		return nil
	}
	have, err := p.kernel.rules()
	if err != nil {
		p.fail(err)
		return nil
	}
	var usable []Rule
	for _, r := range want {
		if err := r.check(); err != nil {
			p.fail(fmt.Errorf("add routing rule %s: %w", r, err))
			continue
		}
		usable = append(usable, r.normal())
	}
	removals, additions, foreign := planRules(usable, have)
	for _, r := range foreign {
		p.fail(fmt.Errorf("add routing rule %s: somebody else's rule says the same; remove that one, or choose another priority", r))
	}
	*may = len(want) > 0
	for _, err := range p.apply(removals) {
		*may = *may || err != nil
	}
	return additions
}

// planRules returns the operations that turn the rules of ours that the kernel has into the wanted ones, and the wanted
// ones that somebody else has put there. The wanted rules are normal ones.
func planRules(want []Rule, have []parsedRule) (removals, additions []operation, foreign []Rule) {
	ours, theirs := make(map[Rule]bool), make(map[Rule]bool)
	for _, x := range have {
		if x.plain && x.protocol == Protocol {
			ours[x.rule] = true
		} else if x.plain {
			theirs[x.rule] = true
		}
	}
	wanted := make(map[Rule]bool)
	for _, r := range want {
		if wanted[r] {
			continue
		}
		wanted[r] = true
		switch {
		case ours[r]:
		case theirs[r]:
			foreign = append(foreign, r)
		default:
			additions = append(additions, ruleOp{rule: r})
		}
	}
	for _, x := range have {
		if ours[x.rule] && x.plain && x.protocol == Protocol && !wanted[x.rule] {
			removals = append(removals, ruleOp{remove: true, rule: x.rule})
		}
	}
	return removals, additions, foreign
}

// outcome implements operation.
func (o ruleOp) outcome(err error) error {
	switch {
	case o.remove && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)):
		return nil
	case o.remove:
		return fmt.Errorf("remove routing rule %s: %w", o.rule, explain(err))
	}
	return fmt.Errorf("add routing rule %s: %w", o.rule, explain(err))
}
