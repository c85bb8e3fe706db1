// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// parser collects the mistakes of one file while its tree is read.
type parser struct {
	file string // as named in errors
	dir  string // absolute; what binds are relative to
	errs []error
}

// field is one entry of a mapping.
type field struct {
	key   string
	line  int
	value *yaml.Node
}

func (p *parser) errorf(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...)))
}

// mapping returns the entries of a mapping; a key that stands twice is an error, as are all other kinds of node.
func (p *parser) mapping(node *yaml.Node, what string) []field {
	node = target(node)
	if node.Kind != yaml.MappingNode {
		p.errorf(node.Line, "%s must be a mapping (key: value)", what)
		return nil
	}
	var fields []field
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], node.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			p.errorf(k.Line, "%s: a key must be a plain word", what)
			continue
		}
		if first := seen[k.Value]; first != 0 {
			p.errorf(k.Line, "%s: %q stands here and in line %d", what, k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		fields = append(fields, field{key: k.Value, line: k.Line, value: target(v)})
	}
	return fields
}

// sequence returns the elements of a list.
func (p *parser) sequence(node *yaml.Node, what string) []*yaml.Node {
	node = target(node)
	if node.Kind != yaml.SequenceNode {
		p.errorf(node.Line, "%s must be a list", what)
		return nil
	}
	elements := make([]*yaml.Node, len(node.Content))
	for i, n := range node.Content {
		elements[i] = target(n)
	}
	return elements
}

// text returns a scalar as it is written: containerlab takes numbers and booleans where it wants strings.
func (p *parser) text(node *yaml.Node, what string) string {
	node = target(node)
	if node.Kind != yaml.ScalarNode || isNull(node) {
		p.errorf(node.Line, "%s must be a string", what)
		return ""
	}
	return node.Value
}

// target follows a YAML alias. The library refuses an alias to an alias.
func target(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
