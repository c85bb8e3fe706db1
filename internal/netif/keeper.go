// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// kernel is what a Keeper needs of the kernel.
type kernel interface {
	// links reads all links.
	links() (snapshot, error)
	// addresses reads the addresses of links, by index; it may return those of others too.
	addresses(s snapshot, on []int) ([]entry, error)
	// routes reads the unicast routes that carry Protocol.
	routes(s snapshot) ([]Route, error)
	// rules reads all rules of both families.
	rules() ([]parsedRule, error)
	// apply performs the operations in order, on the links of s, and returns an error or nil for each of them.
	apply(s snapshot, ops []operation) []error
	// get and set read and write a setting below /proc/sys/net.
	get(path string) (string, error)
	set(path, value string) error
	// refuse makes the addresses, sorted, the ones whose packets are not accepted.
	refuse(addrs []netip.Addr) error
	Close() error
}

// Keeper makes what is in the kernel match what is wanted, and touches nothing else.
//
// One goroutine at a time calls Hold; beside it another one may call Interfaces, and any may call Owns. Hold waits for
// the kernel's network configuration lock (RTNL), which another program may have for some time.
type Keeper struct {
	kernel  kernel
	journal *journal
	links   *Links
	// mayRoute and mayRule are false once the kernel is known to have no routes and no rules of ours, so that a director
	// without any need not read them.
	mayRoute, mayRule bool
	refused           []netip.Addr
}

// OpenKeeper returns the keeper of the calling thread's network namespace. The file at journalPath, in a folder that
// exists, says what an earlier process left behind; a missing file means nothing. Changes need CAP_NET_ADMIN, and
// virtual MACs a /proc/sys that can be written.
func OpenKeeper(journalPath string) (*Keeper, error) {
	j, err := openJournal(journalPath)
	if err != nil {
		return nil, err
	}
	r, err := dialRTNetlink()
	if err != nil {
		return nil, err
	}
	links, err := OpenLinks()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return newKeeper(&linux{rtnetlink: r}, j, links), nil
}

func newKeeper(k kernel, j *journal, links *Links) *Keeper {
	return &Keeper{kernel: k, journal: j, links: links, mayRoute: true, mayRule: true}
}

// linux is the running kernel.
type linux struct {
	*rtnetlink
	sysctls
	refuser
}

// Close releases the keeper's sockets. It leaves the VIPs to their leases.
func (k *Keeper) Close() error { return errors.Join(k.kernel.Close(), k.links.Close()) }

// Owns reports whether an address is ours, or was since the keeper was opened: who reads the kernel's addresses beside a
// Hold may see one that is leaving. It never waits.
func (k *Keeper) Owns(a Address) bool {
	_, ok := (*k.journal.ever.Load())[a]
	return ok
}

// Interfaces returns the network interfaces by name. It does not wait for a Hold in progress.
func (k *Keeper) Interfaces() (map[string]Interface, error) { return k.links.Interfaces(k.Owns) }

// Hold makes what is wanted, and only that, what this director holds: it adds what is missing, repairs what others
// changed, renews the leases, and removes what is ours and not wanted. What somebody else has put there is left to
// them: an address is reported in Changes, a route, a rule or an interface in the error.
//
// One object that fails does not stop the others. Nor does a journal that cannot be written, since service now is
// worth more than a tidy restart: the addresses are then gone with their leases. All errors come back joined; the
// changes are those that were made.
//
// What carries the VIPs comes before them and goes after them: virtual MACs and refusals; routes and rules come after them
// and go before.
func (k *Keeper) Hold(want Desired) (Changes, error) {
	s, err := k.kernel.links()
	if err != nil {
		return Changes{}, err
	}
	p := &pass{kernel: k.kernel, journal: k.journal, links: s, held: k.journal.held.follow(s), standing: want.Standing}
	refuse := refusals(want.Refuse)
	before := refusals(slices.Concat(refuse, k.refused))

	barred := p.raiseMACs(want.VirtualMACs)
	p.fail(k.kernel.refuse(before))
	rules := p.removeRules(want.Rules, &k.mayRule)
	routes := p.removeRoutes(want.Routes, &k.mayRoute)
	p.holdAddresses(want.Leases, barred)
	p.apply(routes)
	p.apply(rules)
	if !slices.Equal(before, refuse) {
		p.fail(k.kernel.refuse(refuse))
	}
	k.refused = refuse
	p.lowerMACs(want.VirtualMACs)
	return p.done, errors.Join(p.failed...)
}

// pass is one Hold.
type pass struct {
	kernel   kernel
	journal  *journal
	links    snapshot
	held     holdings // as far as it has come
	standing []Address
	done     Changes
	failed   []error
}

// fail takes note of an error, if it is one.
func (p *pass) fail(err error) {
	if err != nil {
		p.failed = append(p.failed, err)
	}
}

// record writes what is held now to the journal, and what may soon be.
func (p *pass) record() {
	standing := make(ownership, len(p.standing))
	for _, a := range p.standing {
		if index := p.links.index(a.Interface); index != 0 {
			standing[a] = index
		}
	}
	if err := p.journal.record(p.held, standing); err != nil && !slices.ContainsFunc(p.failed, JournalOnly) {
		p.fail(err)
	}
}

// apply performs the operations, takes note of those that failed, and returns the outcome of each.
func (p *pass) apply(ops []operation) []error {
	if len(ops) == 0 {
		return nil
	}
	outcomes := p.kernel.apply(p.links, ops)
	for i, err := range outcomes {
		if err != nil {
			outcomes[i] = ops[i].outcome(err)
			p.fail(outcomes[i])
		}
	}
	return outcomes
}

// explain adds what the kernel's answer means for any operation.
func explain(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w (this needs CAP_NET_ADMIN)", err)
	}
	return err
}
