// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is one TOML table being read. Its methods return a key's value together with its position, and report a value
// of the wrong type or out of range. Asking for a key makes it a known one.
type table struct {
	doc    *document
	name   string // as the operator writes it, "[[virtual_server.real_server]]"
	values map[string]any
	place  *place
	parent *table // nil for the top level

	required []requirement
}

// requirement is a key that a table must have.
type requirement struct{ key, what string }

// field is what a key of a table holds.
type field[T any] struct {
	value T
	at    int  // offset of the value; of the table's header if the key is absent
	ok    bool // the key is there and its value is usable; if it is there and not usable, that is reported already
}

// or returns the value, or other if there is no usable one.
func (f field[T]) or(other T) T {
	if f.ok {
		return f.value
	}
	return other
}

func (t *table) known() []string { return t.doc.known[t.name] }

// require makes the key one that the table must have. what says in a few words what it is for.
func (t *table) require(key, what string) {
	t.required = append(t.required, requirement{key, what})
}

// get returns a key's value if it is a T. wanted names T to the operator, with an example: `a string, such as "x"`.
func get[T any](t *table, key, wanted string) field[T] {
	if !slices.Contains(t.known(), key) {
		t.doc.known[t.name] = append(t.known(), key)
	}
	at := t.place.field(key).value
	v, given := t.values[key]
	if !given {
		return field[T]{at: t.place.value}
	}
	value, ok := v.(T)
	if !ok {
		t.doc.errorf(at, "%s is %s, expected %s", key, describe(v), wanted)
	}
	return field[T]{value: value, at: at, ok: ok}
}

// refuse reports what is wrong with a value that has the right type and makes the field unusable.
func refuse[T any](t *table, f field[T], format string, args ...any) field[T] {
	t.doc.errorf(f.at, format, args...)
	f.ok = false
	return f
}

// text returns a string that is not empty.
func (t *table) text(key string) field[string] {
	f := get[string](t, key, fmt.Sprintf("a string in quotes: %s = %q", key, literal(t.values[key])))
	if f.ok && f.value == "" {
		return refuse(t, f, "%s is empty: give it a value or leave the key out", key)
	}
	return f
}

// boolean returns true or false.
func (t *table) boolean(key string) field[bool] {
	wanted := "true or false"
	if s, ok := t.values[key].(string); ok && (s == "true" || s == "false") {
		wanted = fmt.Sprintf("%s without quotes", s)
	}
	return get[bool](t, key, wanted)
}

// integer returns a whole number from low to high, both included.
func (t *table) integer(key string, low, high int64) field[int] {
	wanted := fmt.Sprintf("a whole number from %d to %d", low, high)
	if s, ok := t.values[key].(string); ok {
		if _, err := strconv.ParseInt(s, 10, 64); err == nil {
			wanted += fmt.Sprintf(", without quotes: %s = %s", key, s)
		}
	}
	f := get[int64](t, key, wanted)
	if f.ok && (f.value < low || f.value > high) {
		f = refuse(t, f, "%s is %d, expected %s", key, f.value, wanted)
	}
	return field[int]{value: int(f.value), at: f.at, ok: f.ok}
}

// duration returns a length of time from low to high, both included. It is written with its unit, "500ms".
func (t *table) duration(key string, low, high time.Duration) field[time.Duration] {
	wanted := `a duration with its unit, such as "500ms" or "2s"`
	switch number := t.values[key].(type) {
	case int64:
		wanted = fmt.Sprintf(`a duration with its unit: "%ds" for seconds, "%dms" for milliseconds`, number, number)
	case float64:
		wanted = fmt.Sprintf(`a duration with its unit: "%[1]gs" for seconds, "%[1]gms" for milliseconds`, number)
	}
	f := get[string](t, key, wanted)
	d := field[time.Duration]{at: f.at}
	if !f.ok {
		return d
	}
	value, err := time.ParseDuration(f.value)
	if err != nil {
		if _, err := strconv.ParseFloat(f.value, 64); err == nil {
			wanted = fmt.Sprintf(`a unit after the number: "%[1]ss" for seconds, "%[1]sms" for milliseconds`, f.value)
		}
		return refuse(t, d, "%s is %q, expected %s", key, f.value, wanted)
	}
	if value < low || value > high {
		return refuse(t, d, "%s is %s, expected a duration from %s to %s", key, f.value, show(low), show(high))
	}
	d.value, d.ok = value, true
	return d
}

// choice returns one of the words.
func (t *table) choice(key string, words ...string) field[string] {
	f := get[string](t, key, "one of "+quoteAll(words))
	if f.ok && !slices.Contains(words, f.value) {
		return refuse(t, f, "%s is %q, expected one of %s%s", key, f.value, quoteAll(words), didYouMean(f.value, words, strconv.Quote))
	}
	return f
}

// choices returns the elements of an array that are each one of the words.
func (t *table) choices(key string, words ...string) []string {
	texts, _ := t.texts(key, strconv.Quote(words[0]))
	var chosen []string
	for _, f := range texts {
		if !slices.Contains(words, f.value) {
			t.doc.errorf(f.at, "%s has %q, expected %s%s", key, f.value, quoteAll(words), didYouMean(f.value, words, strconv.Quote))
		}
		chosen = append(chosen, f.value)
	}
	return chosen
}

// element is one element of an array.
type element struct {
	value any
	place *place
}

// list returns the elements of an array. example shows the operator what one looks like.
func (t *table) list(key, example string) field[[]element] {
	wanted := fmt.Sprintf("an array, such as %s = [%s]", key, example)
	if s, ok := t.values[key].(string); ok {
		wanted = "an array: " + tomlArray(key, s)
	}
	at := t.place.field(key)
	if tables, ok := t.values[key].([]map[string]any); ok {
		get[any](t, key, "")
		f := field[[]element]{at: at.value, ok: true}
		for i, v := range tables {
			f.value = append(f.value, element{v, at.item(i)})
		}
		return f
	}
	array := get[[]any](t, key, wanted)
	f := field[[]element]{at: array.at, ok: array.ok}
	for i, v := range array.value {
		f.value = append(f.value, element{v, at.item(i)})
	}
	return f
}

// texts returns the elements of an array that are strings, and whether all are.
func (t *table) texts(key, example string) (texts []field[string], ok bool) {
	list := t.list(key, example)
	ok = list.ok
	for i, e := range list.value {
		s, isText := e.value.(string)
		if !isText {
			t.doc.errorf(e.place.value, "%s[%d] is %s, expected a string such as %s", key, i, describe(e.value), example)
			ok = false
			continue
		}
		texts = append(texts, field[string]{value: s, at: e.place.value, ok: true})
	}
	return texts, ok
}

// oneOrMore returns the strings of a key that holds one alone or an array of them, and whether all are.
func (t *table) oneOrMore(key, example string) (texts []field[string], ok bool) {
	if s, ok := t.values[key].(string); ok {
		get[any](t, key, "")
		return []field[string]{{value: s, at: t.place.field(key).value, ok: true}}, true
	}
	return t.texts(key, example)
}

// table returns the table of a key, nil if there is none. Of several it reports all and returns the first.
func (t *table) table(key string) *table {
	name := t.register("[" + t.childName(key) + "]")
	at := t.place.field(key)
	if tables, ok := asTables(t.values[key]); ok {
		get[any](t, key, "")
		t.doc.errorf(at.value, "%s is an array of tables, expected one table: %s", key, name)
		return t.doc.open(name, tables[0], at.item(0), t)
	}
	f := get[map[string]any](t, key, "a table: "+name)
	if !f.ok {
		return nil
	}
	return t.doc.open(name, f.value, at, t)
}

// tables returns the tables of an array of tables. A table that is not in an array is reported and returned alone.
func (t *table) tables(key string) []*table {
	name := t.register("[[" + t.childName(key) + "]]")
	f := get[any](t, key, "")
	at := t.place.field(key)
	switch v := f.value.(type) {
	case nil:
		return nil
	case map[string]any:
		t.doc.errorf(f.at, "%s is one table, expected an array of tables: %s", key, name)
		return []*table{t.doc.open(name, v, at, t)}
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	values, ok := asTables(f.value)
	if !ok {
		t.doc.errorf(f.at, "%s is %s, expected tables, each under its own header: %s", key, describe(f.value), name)
		return nil
	}
	tables := make([]*table, len(values))
	for i, v := range values {
		tables[i] = t.doc.open(name, v, at.item(i), t)
	}
	return tables
}

// asTables returns the elements of an array that has at least one and nothing but tables. The decoder returns such an
// array in one form where headers made it, and in another where it was written in brackets.
func asTables(v any) ([]map[string]any, bool) {
	switch v := v.(type) {
	case []map[string]any:
		return v, len(v) > 0
	case []any:
		tables := make([]map[string]any, len(v))
		for i, e := range v {
			t, ok := e.(map[string]any)
			if !ok {
				return nil, false
			}
			tables[i] = t
		}
		return tables, len(v) > 0
	}
	return nil, false
}

// childName returns the dotted name of the table under a key.
func (t *table) childName(key string) string {
	if t.parent == nil {
		return key
	}
	return strings.Trim(t.name, "[]") + "." + key
}

// register makes the header of a table known, even if the file has no such table.
func (t *table) register(header string) string {
	if _, ok := t.doc.known[header]; !ok {
		t.doc.known[header] = nil
	}
	return header
}
