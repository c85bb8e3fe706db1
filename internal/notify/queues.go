// SPDX-License-Identifier: Apache-2.0

package notify

// maxWaiting bounds the events that wait in one queue.
const maxWaiting = 64

// key names a queue: events of one instance for one command.
type key struct{ command, instance string }

// item is an event on its way to a command.
type item struct {
	command Command
	event   Event
}

// queues decides which event a command is told of next. It is pure and not safe for concurrent use; newQueues makes one.
type queues struct {
	commands []Command
	byKey    map[key]*waiting // those with events, waiting or being told
	ready    []key            // with waiting events and none being told, the longest ready first
}

type waiting struct {
	items   []item
	telling bool
}

func newQueues() *queues { return &queues{byKey: make(map[key]*waiting)} }

// set replaces the commands and returns what waited for one that is gone.
func (q *queues) set(commands []Command) (dropped []Failure) {
	known := make(map[string]bool, len(commands))
	for _, c := range commands {
		known[c.identity()] = true
	}
	q.commands = commands
	return q.drop(func(k key) bool { return !known[k.command] }, ErrRemoved)
}

// put queues e for every command that wants it and returns what had to give way.
func (q *queues) put(e Event) (dropped []Failure) {
	for _, c := range q.commands {
		if !c.wants(e) {
			continue
		}
		k := key{c.identity(), e.Instance}
		w := q.byKey[k]
		if w == nil {
			w = &waiting{}
			q.byKey[k] = w
		}
		if len(w.items) == 0 && !w.telling {
			q.ready = append(q.ready, k)
		}
		if len(w.items) == maxWaiting {
			dropped = append(dropped, Failure{w.items[0].command, w.items[0].event, ErrOverrun})
			w.items = w.items[1:]
		}
		w.items = append(w.items, item{c, e})
	}
	return dropped
}

// next takes out the event to tell next. Its queue rests until done.
func (q *queues) next() (key, item, bool) {
	if len(q.ready) == 0 {
		return key{}, item{}, false
	}
	k := q.ready[0]
	q.ready = q.ready[1:]
	w := q.byKey[k]
	i := w.items[0]
	w.items, w.telling = w.items[1:], true
	return k, i, true
}

// done ends the telling that next began.
func (q *queues) done(k key) {
	w := q.byKey[k]
	w.telling = false
	if len(w.items) > 0 {
		q.ready = append(q.ready, k)
	} else {
		delete(q.byKey, k)
	}
}

// empty tells whether nothing waits and nothing is being told.
func (q *queues) empty() bool { return len(q.byKey) == 0 }

// drop takes out what waits in the queues that match.
func (q *queues) drop(match func(key) bool, reason error) (dropped []Failure) {
	ready := q.ready[:0]
	for _, k := range q.ready {
		if !match(k) {
			ready = append(ready, k)
		}
	}
	q.ready = ready
	for k, w := range q.byKey {
		if !match(k) {
			continue
		}
		for _, i := range w.items {
			dropped = append(dropped, Failure{i.command, i.event, reason})
		}
		w.items = nil
		if !w.telling {
			delete(q.byKey, k)
		}
	}
	return dropped
}
