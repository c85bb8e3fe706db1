// SPDX-License-Identifier: Apache-2.0

package config

// readSyncGroups reads the [[sync_group]] tables, after the instances.
func (r *reader) readSyncGroups(tables []*table) []SyncGroup {
	names, members := unique[string]{}, unique[string]{}
	var groups []SyncGroup
	for _, t := range tables {
		groups = append(groups, r.syncGroup(t, names, members))
	}
	return groups
}

// syncGroup reads one [[sync_group]] table. taken are the members of all groups.
func (r *reader) syncGroup(t *table, names, taken unique[string]) SyncGroup {
	g := SyncGroup{Name: r.name(t, names)}
	t.require("members", "the names of the instances that move together, at least two")
	members, ok := t.texts("members", `"web"`)
	if ok && len(members) < 2 {
		r.doc.errorf(t.place.field("members").value, "members has %d of them, expected at least two instances", len(members))
	}
	for _, m := range members {
		g.Members = append(g.Members, m.value)
		instance, known := reference(r, "member", m, "[[vrrp]]", r.instances)
		if line, again := taken.use(m.value, m.at, r.doc); again {
			r.doc.errorf(m.at, "member %q is also in line %d: an instance can be in one group, once", m.value, line)
		}
		first, firstKnown := r.instances[g.Members[0]]
		if known && firstKnown && instance.Preempt != first.Preempt {
			r.doc.warnf(m.at, "member %q has preempt = %v and %q has %v: the group preempts only when all its members do", m.value, instance.Preempt, first.Name, first.Preempt)
		}
	}
	return g
}
