// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/full.clab.yml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse("full.clab.yml", "/labs/full.clab.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/full.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), string(shown)+"\n"); diff != "" {
		t.Errorf("topology (-want +got):\n%s", diff)
	}
}

// TestShippedTopologies loads the files that are delivered with the project.
func TestShippedTopologies(t *testing.T) {
	files, err := filepath.Glob("../../../conf/lab/*.clab.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no topologies found: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			topology, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSuffix(filepath.Base(file), ".clab.yml"); topology.Name != want {
				t.Errorf("lab is called %s, its file %s", topology.Name, want)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "$") {
				t.Error(`the file has a "$": containerlab would substitute a variable of its environment`)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	// within puts lines of a topology after a beginning of three lines.
	within := func(lines ...string) string {
		return "name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}, sw: {kind: bridge}}\n" + strings.Join(lines, "\n")
	}
	link := func(line string) string { return within("  links:", "    - "+line) }
	node := func(lines ...string) string {
		return "name: x\ntopology:\n  nodes:\n    n:\n      kind: linux\n      " + strings.Join(lines, "\n      ")
	}
	tests := []struct {
		name, text string
		want       []string
	}{
		{"empty file", "", []string{"t.yml:1: the file is empty: name and topology are required"}},
		{"not YAML", "name: [", []string{"t.yml:1: not valid YAML: did not find expected node content"}},
		{"not a mapping", "- 1", []string{
			"t.yml:1: the file must be a mapping (key: value)",
			"t.yml:1: name is required: the lab's name",
			"t.yml:1: topology is required"}},
		{"name that is a path", "name: ../x\ntopology: {nodes: {}}", []string{
			`t.yml:1: lab name "../x": letters, digits, '.', '_' and '-' only, a letter or digit first`}},
		{"prefix", "prefix: p\n" + within(), []string{
			"t.yml:1: prefix is not supported here: namespaces are always called clab-LAB-NODE"}},
		{"unknown keys, all in one run", "nmae: y\n" + within("  linkz: []"), []string{
			`t.yml:1: unknown key "nmae"`, `t.yml:5: unknown key "linkz" in topology`}},
		{"key twice", "name: x\nname: y\ntopology: {nodes: {}}", []string{`t.yml:2: the file: "name" stands here and in line 1`}},
		{"no nodes", "name: x\ntopology: {links: []}", []string{"t.yml:2: topology.nodes is required"}},
		{"groups", within("  groups: {}"), []string{"t.yml:4: topology.groups is not supported here: use kinds or defaults"}},

		{"node name", "name: x\ntopology:\n  nodes:\n    a|b: {kind: linux}", []string{
			`t.yml:4: node name "a|b": letters, digits, '.', '_' and '-' only, a letter or digit first`}},
		{"no kind", "name: x\ntopology:\n  nodes:\n    a:", []string{"t.yml:4: node a has no kind"}},
		{"kind of a router", "name: x\ntopology:\n  nodes:\n    a: {kind: nokia_srlinux}", []string{
			`t.yml:4: node a: kind "nokia_srlinux" is not supported here: linux and bridge are`}},
		{"bridge name too long", "name: x\ntopology:\n  nodes:\n    bridge-with-16-b: {kind: bridge}", []string{
			`t.yml:4: bridge name "bridge-with-16-b" has 16 bytes, the kernel takes at most 15`}},
		{"containerlab's key", node("sysctls: {a: 1}"), []string{"t.yml:6: node n: sysctls is containerlab's, but not supported here"}},
		{"unknown node key", node("exce: []"), []string{`t.yml:6: unknown key "exce" in node n`}},
		{"exec not a list", node("exec: ip a"), []string{"t.yml:6: node n: exec must be a list"}},
		{"exec not a string", node("exec:", "- [ip, a]"), []string{"t.yml:7: exec line must be a string", `t.yml:7: exec line "" has no words`}},
		{"exec with an open quote", node("exec:", `- sh -c "a`), []string{`t.yml:7: exec line "sh -c \"a": a quote is not closed`}},
		{"cmd with a lone backslash", node(`cmd: a \`), []string{`t.yml:6: cmd "a \\": nothing follows the last backslash`}},
		{"bind without target", node("binds: [/a]"), []string{
			`t.yml:6: bind "/a": want HOST-PATH:NODE-PATH or HOST-PATH:NODE-PATH:ro`}},
		{"bind to a relative path", node("binds: ['/a:b']"), []string{
			`t.yml:6: bind "/a:b": the path in the node must be absolute and not /`}},
		{"bind over the root", node("binds: ['/a:/b/..']"), []string{
			`t.yml:6: bind "/a:/b/..": the path in the node must be absolute and not /`}},
		{"bind option", node("binds: ['/a:/b:rx']"), []string{`t.yml:6: bind "/a:/b:rx": unknown option "rx"`}},
		{"network-mode", node("network-mode: host"), []string{
			`t.yml:6: network-mode "host" is not supported here: only none, since there is no management network`}},

		{"endpoint form", link("endpoints: [a, 'b:eth1']"), []string{`t.yml:5: endpoint "a": want NODE:INTERFACE`}},
		{"one endpoint", link("endpoints: ['a:eth1']"), []string{"t.yml:5: a link has two endpoints, not 1"}},
		{"no endpoints", link("mtu: 1500"), []string{"t.yml:5: a link needs endpoints"}},
		{"unknown node in a link", link("endpoints: ['a:eth1', 'c:eth1']"), []string{`t.yml:5: link end c:eth1: there is no node "c"`}},
		{"interface used twice", within("  links:", "    - endpoints: ['a:eth1', 'b:eth1']", "    - endpoints: ['b:eth2', 'a:eth1']"), []string{
			"t.yml:6: link end a:eth1 is used twice, first in line 5"}},
		{"interface named like its bridge", link("endpoints: ['a:eth1', 'sw:sw']"), []string{
			"t.yml:5: link end sw:sw: the node has an interface of that name already"}},
		{"lo", link("endpoints: ['a:lo', 'b:eth1']"), []string{
			"t.yml:5: link end a:lo: the node has an interface of that name already"}},
		{"interface name", link("endpoints: ['a:e/1', 'b:']"), []string{
			`t.yml:5: interface name "e/1": no blank, '/', ':' or '%'`, `t.yml:5: interface name "" is not possible`}},
		{"host's network", link("endpoints: ['a:eth1', 'host:x']"), []string{
			`t.yml:5: endpoint "host:x" would reach into the host's network: not supported here`}},
		{"link type", link("{type: vxlan, endpoint: {}, vni: 1}"), []string{
			`t.yml:5: link type "vxlan" is not supported here: veth is`,
			"t.yml:5: link key endpoint is containerlab's, but not supported here",
			"t.yml:5: link key vni is containerlab's, but not supported here",
			"t.yml:5: a link needs endpoints"}},
		{"mtu", link("{endpoints: ['a:eth1', 'b:eth1'], mtu: 67}"), []string{`t.yml:5: mtu "67": want 68-65535 bytes`}},
		{"short form in an extended link", link("{type: veth, endpoints: ['a:eth1', {node: b, interface: eth1}]}"), []string{
			"t.yml:5: endpoint must be a mapping (key: value)", "t.yml:5: an endpoint needs a node",
			`t.yml:5: interface name "" is not possible`}},
		{"mac", link("{type: veth, endpoints: [{node: a, interface: e, mac: x}, {node: b, interface: e, mac: '01:00:00:00:00:00'}]}"), []string{
			`t.yml:5: mac "x" is not an Ethernet address`,
			`t.yml:5: mac "01:00:00:00:00:00" is a group address, no interface can have it`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			topology, err := parse("t.yml", "/labs/t.yml", []byte(tt.text))
			if err == nil {
				t.Fatalf("no error, but %+v", topology)
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzLoad checks that any text is either refused with positions or makes a topology that can be built.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*.clab.yml", "../../../conf/lab/*.clab.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Add([]byte("name: x\ntopology: {nodes: {a: &n {kind: linux}, b: *n}, links: [{endpoints: [a:e, b:e]}]}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		topology, err := parse("t.yml", "/labs/t.yml", text)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "t.yml:") && !strings.HasPrefix(err.Error(), "t.yml:") {
					t.Errorf("error without a position: %q", line)
				}
			}
			return
		}
		if !labName.MatchString(topology.Name) {
			t.Errorf("lab name %q", topology.Name)
		}
		for _, n := range topology.Nodes {
			if !labName.MatchString(n.Name) || n.Kind != KindLinux && n.Kind != KindBridge {
				t.Errorf("node %+v", n)
			}
		}
		for _, l := range topology.Links {
			for _, e := range l.Endpoints {
				if topology.node(e.Node) == nil || e.Interface == "" || len(e.Interface) > 15 {
					t.Errorf("link end %+v", e)
				}
			}
		}
	})
}
