// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settings is what can be stated about a node, at one of the three levels: topology.defaults, topology.kinds, the node.
type settings struct {
	kind  Kind
	env   map[string]string
	binds []Bind
	exec  []Exec
	cmd   []string
}

// settings reads a node's mapping. A node may be empty: everything then comes from the levels above it.
func (p *parser) settings(node *yaml.Node, what string) settings {
	var s settings
	if isNull(node) {
		return s
	}
	for _, f := range p.mapping(node, what) {
		switch f.key {
		case "kind":
			s.kind = Kind(p.text(f.value, what+": kind"))
		case "env":
			s.env = map[string]string{}
			for _, e := range p.mapping(f.value, what+": env") {
				s.env[e.key] = p.text(e.value, what+": env "+e.key)
			}
		case "binds":
			for _, n := range p.sequence(f.value, what+": binds") {
				s.binds = p.bind(s.binds, n)
			}
		case "exec":
			for _, n := range p.sequence(f.value, what+": exec") {
				if argv := p.words(n, "exec line"); argv != nil {
					s.exec = append(s.exec, Exec{Argv: argv, Line: n.Line})
				}
			}
		case "cmd":
			s.cmd = p.words(f.value, "cmd")
		case "network-mode":
			if mode := p.text(f.value, what+": network-mode"); mode != "none" {
				p.errorf(f.line, "network-mode %q is not supported here: only none, since there is no management network", mode)
			}
		case "image", "image-pull-policy", "restart-policy", "runtime", "labels", "group", "type", "license",
			"auto-remove", "startup-delay", "mgmt-ipv4", "mgmt-ipv6", "cpu", "cpu-set", "memory", "shm-size",
			"cap-add", "privileged", "security-opts", "healthcheck", "link-apply-mode":
			// Instructions to a container engine, or about the management network.
		case "startup-config", "enforce-startup-config", "suppress-startup-config", "volumes", "ports", "credentials",
			"env-files", "user", "hostname", "entrypoint", "extras", "config", "stages", "dns", "certificate",
			"components", "aliases", "cgroupns-mode", "cgroup-parent", "pid-mode", "tmpfs", "sysctls", "devices":
			p.errorf(f.line, "%s: %s is containerlab's, but not supported here", what, f.key)
		default:
			p.errorf(f.line, "unknown key %q in %s", f.key, what)
		}
	}
	return s
}

// bind reads one HOST:NODE[:ro] line and appends it.
func (p *parser) bind(to []Bind, node *yaml.Node) []Bind {
	s := p.text(node, "bind")
	part := strings.Split(s, ":")
	if len(part) < 2 || len(part) > 3 || part[0] == "" || part[1] == "" {
		p.errorf(node.Line, "bind %q: want HOST-PATH:NODE-PATH or HOST-PATH:NODE-PATH:ro", s)
		return to
	}
	b := Bind{Source: part[0], Target: filepath.Clean(part[1]), Line: node.Line}
	if len(part) == 3 {
		for option := range strings.SplitSeq(part[2], ",") {
			switch option {
			case "ro":
				b.ReadOnly = true
			case "rw", "z", "Z": // the default, and SELinux labels for containers
			default:
				p.errorf(node.Line, "bind %q: unknown option %q", s, option)
			}
		}
	}
	if !filepath.IsAbs(b.Target) || b.Target == "/" {
		p.errorf(node.Line, "bind %q: the path in the node must be absolute and not /", s)
		return to
	}
	if rest, ok := strings.CutPrefix(b.Source, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			p.errorf(node.Line, "bind %q: %v", s, err)
			return to
		}
		b.Source = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(b.Source) {
		b.Source = filepath.Join(p.dir, b.Source)
	}
	b.Source = filepath.Clean(b.Source)
	return append(to, b)
}

// words reads a command line; nil when it is no good.
func (p *parser) words(node *yaml.Node, what string) []string {
	line := p.text(node, what)
	argv, err := splitWords(line)
	switch {
	case err != nil:
		p.errorf(node.Line, "%s %q: %v", what, line, err)
		return nil
	case len(argv) == 0:
		p.errorf(node.Line, "%s %q has no words", what, line)
		return nil
	}
	return argv
}

// merge puts the levels together, the more specific last, as containerlab does: environment by variable, exec lines one
// after another without repeating one, binds by target, the command as a whole.
func merge(levels ...settings) NodeSpec {
	var (
		spec  NodeSpec
		binds = map[string]Bind{}
	)
	for _, s := range levels {
		if s.env != nil && spec.Env == nil {
			spec.Env = map[string]string{}
		}
		maps.Copy(spec.Env, s.env)
		for _, e := range s.exec {
			same := func(x Exec) bool { return slices.Equal(x.Argv, e.Argv) }
			if !slices.ContainsFunc(spec.Exec, same) {
				spec.Exec = append(spec.Exec, e)
			}
		}
		for _, b := range s.binds {
			binds[b.Target] = b
		}
		if s.cmd != nil {
			spec.Cmd = s.cmd
		}
	}
	byTarget := func(a, b Bind) int { return cmp.Compare(a.Target, b.Target) }
	spec.Binds = slices.SortedFunc(maps.Values(binds), byTarget)
	return spec
}
