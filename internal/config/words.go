// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// keepalivedWords are words that operators bring along from keepalived.conf and ipvsadm, and what they are called here.
var keepalivedWords = map[string]string{
	"vrrp_instance":              "vrrp",
	"vrrp_sync_group":            "sync_group",
	"vrrp_script":                "track",
	"vrrp_track_file":            "track",
	"vrrp_track_process":         "track",
	"virtual_router_id":          "vrid",
	"vrrp_version":               "version",
	"advert_int":                 "advert_interval",
	"nopreempt":                  "preempt",
	"no_accept":                  "accept",
	"use_vmac":                   "virtual_mac",
	"auth_pass":                  "password",
	"authentication":             "auth",
	"unicast_peer":               "unicast",
	"unicast_src_ip":             "unicast",
	"track_interface":            "track",
	"track_script":               "track",
	"track_file":                 "track",
	"track_process":              "track",
	"garp_master_delay":          "announce",
	"garp_master_repeat":         "announce",
	"garp_master_refresh":        "announce",
	"vrrp_rt_priority":           "realtime_priority",
	"vrrp_startup_delay":         "startup_delay",
	"group":                      "members",
	"virtual_ipaddress":          "addresses",
	"virtual_ipaddress_excluded": "excluded",
	"virtual_routes":             "route",
	"virtual_rules":              "rule",
	"lvs_sched":                  "scheduler",
	"lb_algo":                    "scheduler",
	"lvs_method":                 "forward",
	"lb_kind":                    "forward",
	"delay_loop":                 "interval",
	"inhibit_on_failure":         "on_failure",
	"lvs_sync_daemon":            "sync",
	"router_id":                  "name",
	"connect_timeout":            "timeout",
	"status_code":                "expect_status",
	"nat":                        "masquerade",
	"masq":                       "masquerade",
	"dr":                         "direct",
	"gate":                       "direct",
	"tun":                        "tunnel",
	"ipip":                       "tunnel",
	"ssl_get":                    "https",
	"http_get":                   "http",
	"tcp_check":                  "tcp",
	"udp_check":                  "udp",
	"round_robin":                "rr",
	"weighted_round_robin":       "wrr",
}

// didYouMean returns `, did you mean X?` with the one of the words that the operator most likely meant, written by
// quote; empty if none is near.
func didYouMean(word string, words []string, quote func(string) string) string {
	if meant, ok := nearest(word, words); ok {
		return fmt.Sprintf(", did you mean %s?", quote(meant))
	}
	return ""
}

// nearest returns the one of the words that the operator most likely meant: what keepalived's word is called here, or
// the word at the smallest edit distance, if that is no more than a third of its letters.
func nearest(word string, words []string) (string, bool) {
	lower := strings.ToLower(word)
	if meant := keepalivedWords[lower]; slices.Contains(words, meant) {
		return meant, true
	}
	best, bestDistance := "", len(lower)/3+2
	for _, w := range words {
		limit := max(1, max(len(w), len(lower))/3)
		if d := editDistance(lower, strings.ToLower(w)); d <= limit && d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best, best != ""
}

// editDistance counts the letters to insert, delete or replace, and the neighbours to swap, that turn a into b (optimal
// string alignment).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	var beforePrevious []int
	previous := make([]int, len(to)+1)
	for j := range previous {
		previous[j] = j
	}
	for i, r := range from {
		current := make([]int, len(to)+1)
		current[0] = i + 1
		for j, s := range to {
			cost := 1
			if r == s {
				cost = 0
			}
			current[j+1] = min(previous[j+1]+1, current[j]+1, previous[j]+cost)
			if i > 0 && j > 0 && r == to[j-1] && from[i-1] == s {
				current[j+1] = min(current[j+1], beforePrevious[j-1]+1)
			}
		}
		beforePrevious, previous = previous, current
	}
	return previous[len(to)]
}

// unknownKey returns the message for a key of t that nobody asked for: with the nearest key of the table, or else the
// table around it or elsewhere that does have the key.
func (t *table) unknownKey(key string, value any) string {
	what := fmt.Sprintf("unknown key %q in %s", key, t.name)
	quote := strconv.Quote
	if _, isTable := value.(map[string]any); isTable {
		what = fmt.Sprintf("unknown table [%s]", t.childName(key))
		quote = t.header
	} else if _, areTables := value.([]map[string]any); areTables {
		what = fmt.Sprintf("unknown table [[%s]]", t.childName(key))
		quote = t.header
	}
	if hint := didYouMean(key, t.known(), quote); hint != "" {
		return what + hint
	}
	if t.parent != nil && slices.Contains(t.parent.known(), key) {
		return fmt.Sprintf("%s: it is a key of %s, write it above the first %s", what, t.parent.name, t.name)
	}
	for _, other := range slices.Sorted(maps.Keys(t.doc.known)) {
		if slices.Contains(t.doc.known[other], key) {
			return fmt.Sprintf("%s: it is a key of %s", what, other)
		}
	}
	var keys []string
	for _, known := range slices.Sorted(slices.Values(t.known())) {
		keys = append(keys, t.header(known))
	}
	return what + ", expected one of " + strings.Join(keys, ", ")
}

// header writes a key of t as the header of the table under it, or as a key if there is no such table.
func (t *table) header(key string) string {
	for _, header := range []string{"[" + t.childName(key) + "]", "[[" + t.childName(key) + "]]"} {
		if _, ok := t.doc.known[header]; ok {
			return header
		}
	}
	return strconv.Quote(key)
}

// describe says what a TOML value is.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	case []any:
		return "an array"
	default:
		return "of an unknown type"
	}
}

// show writes a duration as an operator would: time.Duration's own String has "1h0m0s" for an hour.
func show(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// literal returns what a value that should have been a string could be as a string.
func literal(v any) string {
	switch v.(type) {
	case int64, float64, bool:
		return fmt.Sprint(v)
	default:
		return "..."
	}
}

// tomlArray writes an array of strings as the value of a key.
func tomlArray(key string, elements ...string) string {
	var b strings.Builder
	if err := toml.NewEncoder(&b).Encode(map[string][]string{key: elements}); err != nil {
		return key + " = [...]" // of what TOML cannot write
	}
	return strings.TrimSpace(b.String())
}

// quoteAll writes the words as a list.
func quoteAll(words []string) string {
	return `"` + strings.Join(words, `", "`) + `"`
}
