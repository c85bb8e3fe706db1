// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// labName is containerlab's pattern for lab and node names, without the "|" that it lets bridges have.
var labName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// Load reads a containerlab file. All mistakes are reported in one error, one line each, as "file:line: message".
func Load(file string) (*Topology, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("find topology file %s: %w", file, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read topology file: %w", err)
	}
	return parse(file, abs, text)
}

// parse reads the text of a containerlab file. shown is the file's name in errors, abs what binds are relative to.
func parse(shown, abs string, text []byte) (*Topology, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, syntaxError(shown, err)
	}
	p := &parser{file: shown, dir: filepath.Dir(abs)}
	t := &Topology{File: abs}
	if len(doc.Content) == 0 {
		p.errorf(1, "the file is empty: name and topology are required")
	} else {
		p.document(t, doc.Content[0])
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// yamlPosition matches the position that the YAML library puts in front of its messages.
var yamlPosition = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError turns the YAML library's error into our form.
func syntaxError(file string, err error) error {
	line := "1"
	m := yamlPosition.FindStringSubmatch(err.Error())
	if m != nil && m[1] != "" {
		line = m[1]
	}
	return fmt.Errorf("%s:%s: not valid YAML: %s", file, line, yamlPosition.ReplaceAllString(err.Error(), ""))
}

// document reads the top level of the file.
func (p *parser) document(t *Topology, root *yaml.Node) {
	var topology *yaml.Node
	for _, f := range p.mapping(root, "the file") {
		switch f.key {
		case "name":
			t.Name = p.name(f.value, "lab name")
		case "topology":
			topology = f.value
		case "mgmt", "settings", "debug": // the management network and containerlab's own settings
		case "prefix":
			p.errorf(f.line, "prefix is not supported here: namespaces are always called clab-LAB-NODE")
		default:
			p.errorf(f.line, "unknown key %q", f.key)
		}
	}
	if t.Name == "" {
		p.errorf(root.Line, "name is required: the lab's name")
	}
	if topology == nil {
		p.errorf(root.Line, "topology is required")
		return
	}
	p.topology(t, topology)
}

// topology reads the topology key: what all nodes have in common, the nodes, then the links between them.
func (p *parser) topology(t *Topology, node *yaml.Node) {
	var (
		defaults     settings
		kinds        = map[Kind]settings{}
		nodes, links *yaml.Node
	)
	for _, f := range p.mapping(node, "topology") {
		switch f.key {
		case "defaults":
			defaults = p.settings(f.value, "topology.defaults")
		case "kinds":
			for _, k := range p.mapping(f.value, "topology.kinds") {
				kinds[Kind(k.key)] = p.settings(k.value, "topology.kinds."+k.key)
			}
		case "nodes":
			nodes = f.value
		case "links":
			links = f.value
		case "groups":
			p.errorf(f.line, "topology.groups is not supported here: use kinds or defaults")
		default:
			p.errorf(f.line, "unknown key %q in topology", f.key)
		}
	}
	if nodes == nil {
		p.errorf(node.Line, "topology.nodes is required")
		return
	}
	p.nodes(t, nodes, defaults, kinds)
	if links != nil {
		p.links(t, links)
	}
}

// nodes reads topology.nodes and merges defaults and kinds into each.
func (p *parser) nodes(t *Topology, node *yaml.Node, defaults settings, kinds map[Kind]settings) {
	for _, f := range p.mapping(node, "topology.nodes") {
		if !labName.MatchString(f.key) {
			p.errorf(f.line, "node name %q: letters, digits, '.', '_' and '-' only, a letter or digit first", f.key)
			continue
		}
		own := p.settings(f.value, "node "+f.key)
		kind := own.kind
		if kind == "" {
			kind = defaults.kind
		}
		switch kind {
		case KindLinux:
		case KindBridge:
			p.interfaceName(f.line, f.key, "bridge name")
		case "":
			p.errorf(f.line, "node %s has no kind", f.key)
		default:
			p.errorf(f.line, "node %s: kind %q is not supported here: linux and bridge are", f.key, kind)
		}
		spec := merge(defaults, kinds[kind], own)
		spec.Name, spec.Kind = f.key, kind
		t.Nodes = append(t.Nodes, spec)
	}
}

// name reads a lab's name.
func (p *parser) name(node *yaml.Node, what string) string {
	s := p.text(node, what)
	if s != "" && !labName.MatchString(s) {
		p.errorf(node.Line, "%s %q: letters, digits, '.', '_' and '-' only, a letter or digit first", what, s)
	}
	return s
}

// interfaceName checks a network interface's name by the kernel's rules (net/core/dev.c, dev_valid_name).
func (p *parser) interfaceName(line int, name, what string) {
	const ifnamsiz = 16 // linux/if.h, with the final zero byte
	switch {
	case name == "" || name == "." || name == "..":
		p.errorf(line, "%s %q is not possible", what, name)
	case len(name) >= ifnamsiz:
		p.errorf(line, "%s %q has %d bytes, the kernel takes at most %d", what, name, len(name), ifnamsiz-1)
	case strings.ContainsAny(name, "/: \t\n\v\f\r%\x00"):
		p.errorf(line, "%s %q: no blank, '/', ':' or '%%'", what, name)
	}
}
