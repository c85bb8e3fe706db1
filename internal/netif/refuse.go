// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// RefuseTable is the name of the nftables table (family inet) that drops packets to refused VIPs. It is lvs-ha's alone.
const RefuseTable = "lvs-ha"

const (
	// refusePriority is the priority of the table's chain at the input hook: after IPVS, which takes its packets at 98 and
	// 99 (NF_IP_PRI_NAT_SRC - 2 and - 1, net/netfilter/ipvs/ip_vs_core.c).
	refusePriority = 110
	// elementBatch is how many addresses go into one message, whose list is limited to 64 KiB.
	elementBatch = 1000
)

// refuser keeps the nftables table. The zero value is one that does not know what is there.
type refuser struct {
	known      bool
	held       []netip.Addr
	generation uint32 // of the ruleset after our last change
}

// refuse implements kernel. The table is replaced in one transaction, and only when the addresses or the ruleset have
// changed since.
func (r *refuser) refuse(addrs []netip.Addr) error {
	if r.known && len(addrs) == 0 && len(r.held) == 0 {
		return nil
	}
	before, err := generation()
	if err != nil {
		if len(addrs) == 0 && !r.known {
			r.known = true // no nftables, or none that can be read: nothing of ours is there
			return nil
		}
		return fmt.Errorf("refuse packets to %d VIPs: %w (does this kernel have nf_tables?)", len(addrs), err)
	}
	if r.known && r.generation == before && slices.Equal(r.held, addrs) {
		return nil
	}
	r.known = false
	if err := replaceTable(addrs); err != nil {
		return fmt.Errorf("refuse packets to %d VIPs: %w", len(addrs), explain(err))
	}
	after, err := generation()
	if err != nil {
		return fmt.Errorf("refuse packets to %d VIPs: %w", len(addrs), err)
	}
	// Each change of the ruleset is one generation. If there was another one, look again next time.
	r.known, r.held, r.generation = true, slices.Clone(addrs), after
	if after-before > 1 {
		r.generation = before
	}
	return nil
}

// replaceTable replaces the table by one that refuses the addresses, or removes it when there are none.
func replaceTable(addrs []netip.Addr) error {
	c, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetDeadline(time.Now().Add(answerTimeout))
	}))
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: RefuseTable, Family: nftables.TableFamilyINet}
	c.AddTable(table) // so that there is one to remove
	c.DelTable(table)
	if len(addrs) == 0 {
		return c.Flush()
	}
	c.AddTable(table)
	chain := c.AddChain(&nftables.Chain{
		Table: table, Name: "input", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityRef(refusePriority),
	})
	// Accept_Mode says nothing of neighbour solicitations and advertisements (RFC 9568 section 6.1).
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: slices.Concat(
		isProtocol(expr.MetaKeyL4PROTO, unix.IPPROTO_ICMPV6),
		[]expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, // type
			&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{135}, ToData: []byte{136}},
			&expr.Verdict{Kind: expr.VerdictAccept},
		})})
	for _, f := range []struct {
		name           string
		keys           nftables.SetDatatype
		family         byte
		offset, length uint32 // of the destination address in the header
		is4            bool
	}{
		{"vips4", nftables.TypeIPAddr, unix.NFPROTO_IPV4, 16, 4, true},
		{"vips6", nftables.TypeIP6Addr, unix.NFPROTO_IPV6, 24, 16, false},
	} {
		set := &nftables.Set{Table: table, Name: f.name, KeyType: f.keys}
		if err := c.AddSet(set, nil); err != nil {
			return err
		}
		var elements []nftables.SetElement
		for _, a := range addrs {
			if a.Is4() == f.is4 {
				elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
			}
		}
		for batch := range slices.Chunk(elements, elementBatch) {
			if err := c.SetAddElements(set, batch); err != nil {
				return err
			}
		}
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: slices.Concat(
			isProtocol(expr.MetaKeyNFPROTO, f.family),
			[]expr.Any{
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: f.length},
				&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
				&expr.Verdict{Kind: expr.VerdictDrop},
			})})
	}
	return c.Flush()
}

// isProtocol returns the expressions that a packet passes if it is of this protocol.
func isProtocol(key expr.MetaKey, protocol byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
	}
}

// generation returns the number of the ruleset of the calling thread's network namespace, which each change moves on.
func generation() (uint32, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   make([]byte, 4), // struct nfgenmsg
	})
	if err != nil {
		return 0, err
	}
	if len(answers) != 1 || len(answers[0].Data) < 4 {
		return 0, errors.New("nf_tables gave an unexpected answer")
	}
	return parseGeneration(answers[0].Data[4:])
}

// parseGeneration reads the attributes of an NFT_MSG_NEWGEN.
func parseGeneration(b []byte) (uint32, error) {
	d, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return 0, err
	}
	d.ByteOrder = binary.BigEndian
	for d.Next() {
		if d.Type() == unix.NFTA_GEN_ID {
			return d.Uint32(), d.Err()
		}
	}
	return 0, errors.Join(errors.New("nf_tables gave no generation"), d.Err())
}
