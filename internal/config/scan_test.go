// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// TestScan lists each key with what stands at its own and at its value's place.
func TestScan(t *testing.T) {
	text := `a = 1 # [not] = "a table"
"b c".'d"'. e = "x # ] y"   # dotted
"\u00fc" = 2
[t] # a table
f = """multi "line"
[g] \""" x""""
h = '''it's
k = 1'''
i = [1, # one
  [2, 3], {j = 4,}, "]", '\', ']',
]
[t.sub]
k = { l = { m.n = 1979-05-27 07:32:00 }, o = ''''''}
[[u]]
p = true
[u.q]
r = ""
[[u]]
[[u.s]]
	v = inf
[w.x]
[w]
`
	want := map[string]string{
		"a":             `a = 1 | 1 # [`,
		`b c`:           `"b c" | "b c"`,
		`b c.d"`:        `'d"'. | 'd"'.`,
		`b c.d".e`:      `e = " | "x # `,
		"ü":             `"\u00 | 2`,
		"t":             `t] #  | [t] #`,
		"t.f":           `f = " | """mu`,
		"t.h":           `h = ' | '''it`,
		"t.i":           `i = [ | [1, #`,
		"t.i[0]":        `1, #  | 1, # `,
		"t.i[1]":        `[2, 3 | [2, 3`,
		"t.i[1][0]":     `2, 3] | 2, 3]`,
		"t.i[1][1]":     `3], { | 3], {`,
		"t.i[2]":        `{j =  | {j = `,
		"t.i[2].j":      `j = 4 | 4,}, `,
		"t.i[3]":        `"]",  | "]", `,
		"t.i[4]":        `'\',  | '\', `,
		"t.i[5]":        `']', | ']',`,
		"t.sub":         `sub] | [t.su`,
		"t.sub.k":       `k = { | { l =`,
		"t.sub.k.l":     `l = { | { m.n`,
		"t.sub.k.l.m":   `m.n = | m.n =`,
		"t.sub.k.l.m.n": `n = 1 | 1979-`,
		"t.sub.k.o":     `o = ' | '''''`,
		"u":             `u]] | [[u]]`,
		"u[0]":          `u]] | [[u]]`,
		"u[0].p":        `p = t | true`,
		"u[0].q":        `q] | [u.q]`,
		"u[0].q.r":      `r = " | ""`,
		"u[1]":          `u]] | [[u]]`,
		"u[1].s":        `s]] | [[u.s`,
		"u[1].s[0]":     `s]] | [[u.s`,
		"u[1].s[0].v":   `v = i | inf`,
		"w":             `w] | [w]`,
		"w.x":           `x] | [w.x]`,
	}
	got := map[string]string{}
	snippet := func(at int) string {
		s, _, _ := strings.Cut(text[at:], "\n")
		return s[:min(5, len(s))]
	}
	var walk func(name string, p *place)
	walk = func(name string, p *place) {
		if name != "" {
			got[name] = snippet(p.key) + " | " + snippet(p.value)
		}
		for key, f := range p.fields {
			walk(strings.TrimPrefix(name+"."+key, "."), f)
		}
		for i, item := range p.items {
			walk(fmt.Sprintf("%s[%d]", name, i), item)
		}
	}
	root := scan(text)
	walk("", root)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places differ (-want +got):\n%s", diff)
	}
	if line := newDocument("", []byte(text)).line(root.fields["w"].value); line != 22 {
		t.Errorf("[w] is in line %d, want 22: its own header, not the one of [w.x]", line)
	}
	sameShape(t, text)
}

// sameShape checks that every value which the decoder finds has a place, and the reverse. It returns at once if text is
// not TOML.
func sameShape(t *testing.T, text string) {
	t.Helper()
	values := map[string]any{}
	if _, err := toml.Decode(text, &values); err != nil {
		return
	}
	var compare func(name string, v any, p *place)
	items := func(name string, n int, p *place, item func(int) any) {
		if n != len(p.items) || len(p.fields) > 0 {
			t.Errorf("%s: %d elements, %d places, %d fields\n%s", name, n, len(p.items), len(p.fields), text)
			return
		}
		for i := range n {
			compare(fmt.Sprintf("%s[%d]", name, i), item(i), p.items[i])
		}
	}
	compare = func(name string, v any, p *place) {
		switch v := v.(type) {
		case map[string]any:
			if len(v) != len(p.fields) {
				t.Errorf("%s: keys %q, places of %q\n%s", name, sortedKeys(v), sortedKeys(p.fields), text)
			}
			for key, field := range v {
				if p.fields[key] == nil {
					t.Errorf("%s: key %q has no place\n%s", name, key, text)
					return
				}
				compare(name+"."+key, field, p.fields[key])
			}
		case []any:
			items(name, len(v), p, func(i int) any { return v[i] })
		case []map[string]any:
			items(name, len(v), p, func(i int) any { return v[i] })
		default:
			if len(p.fields)+len(p.items) > 0 {
				t.Errorf("%s: a plain value with places inside\n%s", name, text)
			}
		}
	}
	compare("", values, scan(text))
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
