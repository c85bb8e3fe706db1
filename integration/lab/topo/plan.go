// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A node sees the host's files through a mount namespace of its own. What is mounted there is planned here, as steps that
// a thread in that namespace makes; nothing here touches a file.

// hostView is what a plan must know about the host's files.
type hostView interface {
	// EvalSymlinks is filepath.EvalSymlinks.
	EvalSymlinks(path string) (string, error)
	// Stat is os.Stat.
	Stat(path string) (fs.FileInfo, error)
	// ReadDir is os.ReadDir.
	ReadDir(path string) ([]fs.DirEntry, error)
	// MountPoints lists all mount points.
	MountPoints() ([]string, error)
}

// plan is a list of steps in the making.
type plan struct {
	host     hostView
	dir      string   // scratch folder of the node, on the lab's tmpfs
	mounts   []string // the host's mount points
	overlaid []string // folders of the host that have become writable copies in the node
	steps    []step
}

// boundTo is a bind whose target has been looked up.
type boundTo struct {
	Bind
	folder  bool   // the source is a folder
	above   string // the longest part of the target that exists, symbolic links resolved
	missing string // the rest, relative to above; empty: the whole target exists
}

func (b boundTo) target() string { return filepath.Join(b.above, b.missing) }

// planMounts plans a node's mounts: /sys for its network namespace, an empty /run, and the binds. A mount point that the
// host doesn't have is made in a tmpfs: over its folder lies an overlay, or, where that folder is the root, a new root
// made of the old one's folders.
func planMounts(host hostView, dir string, binds []Bind) ([]step, error) {
	mounts, err := host.MountPoints()
	if err != nil {
		return nil, err
	}
	p := &plan{host: host, dir: dir, mounts: mounts}
	var inRun, elsewhere []boundTo
	for _, b := range binds {
		to, err := p.lookUp(b)
		if err != nil {
			return nil, err
		}
		if isWithin("/run", to.target()) {
			inRun = append(inRun, to)
		} else {
			elsewhere = append(elsewhere, to)
		}
	}
	if slices.ContainsFunc(elsewhere, func(b boundTo) bool { return b.above == "/" && b.missing != "" }) {
		if err := p.newRoot(); err != nil {
			return nil, err
		}
	}
	for _, b := range elsewhere {
		if err := p.makeWritable(b); err != nil {
			return nil, err
		}
	}
	for _, b := range elsewhere {
		p.bind(b, b.target(), b.missing != "")
	}
	// The new /run is put together over /sys, which is about to be replaced as well: /run itself still holds our scratch
	// folder, and perhaps sources of binds.
	p.add(mountNew{"tmpfs", "/sys", "mode=0755"})
	for _, b := range inRun {
		p.bind(b, filepath.Join("/sys", strings.TrimPrefix(b.target(), "/run")), true)
	}
	// What the host has mounted below /run goes. Namespaces of other labs are among it: a copy of their mounts would keep
	// them alive after their removal, with all their links.
	p.add(clearMounts{"/run"}, moveMount{"/sys", "/run"}, mountNew{"sysfs", "/sys", ""})
	return p.steps, nil
}

func (p *plan) add(steps ...step) { p.steps = append(p.steps, steps...) }

// lookUp finds a bind's source, and how much of its target exists on the host.
func (p *plan) lookUp(b Bind) (boundTo, error) {
	info, err := p.host.Stat(b.Source)
	if err != nil {
		return boundTo{}, fmt.Errorf("line %d: source of bind %s:%s: %w", b.Line, b.Source, b.Target, err)
	}
	to := boundTo{Bind: b, folder: info.IsDir()}
	existing := b.Target
	for {
		to.above, err = p.host.EvalSymlinks(existing)
		if err == nil {
			break
		}
		if existing == "/" {
			return boundTo{}, fmt.Errorf("line %d: target of bind %s:%s: %w", b.Line, b.Source, b.Target, err)
		}
		existing = filepath.Dir(existing)
	}
	to.missing, err = filepath.Rel(existing, b.Target)
	if err != nil {
		return boundTo{}, fmt.Errorf("line %d: target of bind %s:%s: %w", b.Line, b.Source, b.Target, err)
	}
	if to.missing == "." {
		to.missing = ""
	}
	return to, nil
}

// newRoot makes a root folder on a tmpfs in which each entry of the old one is bound, and moves to it.
func (p *plan) newRoot() error {
	entries, err := p.host.ReadDir("/")
	if err != nil {
		return fmt.Errorf("list the root folder: %w", err)
	}
	root := filepath.Join(p.dir, "root")
	p.add(makeFolder{root}, mountNew{"tmpfs", root, "mode=0755"})
	for _, e := range entries {
		from, to := "/"+e.Name(), filepath.Join(root, e.Name())
		switch {
		case e.IsDir():
			p.add(makeFolder{to}, bind{from, to})
		case e.Type()&fs.ModeSymlink != 0:
			p.add(copyLink{from, to})
		default:
			p.add(makeFile{to}, bind{from, to})
		}
	}
	p.add(enterRoot{root})
	p.overlaid = append(p.overlaid, "/")
	return nil
}

// makeWritable lays an overlay over the folder that lacks the bind's target, with the mounts inside it bound again.
func (p *plan) makeWritable(b boundTo) error {
	if b.missing == "" || p.isOverlaid(b.above) {
		return nil
	}
	if strings.ContainsAny(b.above, `,:\`) {
		return fmt.Errorf("line %d: bind to %s: its folder %s has a character that overlayfs reserves", b.Line, b.Target, b.above)
	}
	layer := filepath.Join(p.dir, "overlay"+strconv.Itoa(len(p.overlaid)))
	upper, work, merged := layer+"/upper", layer+"/work", layer+"/merged"
	p.add(makeFolder{upper}, makeFolder{work}, makeFolder{merged})
	p.add(mountNew{"overlay", merged, "lowerdir=" + b.above + ",upperdir=" + upper + ",workdir=" + work})
	for _, m := range outermostWithin(b.above, p.mounts) {
		rel, err := filepath.Rel(b.above, m)
		if err != nil {
			return fmt.Errorf("bind mount %s again in the overlay of %s: %w", m, b.above, err)
		}
		p.add(bind{m, filepath.Join(merged, rel)})
	}
	p.add(moveMount{merged, b.above})
	p.overlaid = append(p.overlaid, b.above)
	return nil
}

// bind binds the source to path, which must be made first if mountPoint is set.
func (p *plan) bind(b boundTo, path string, mountPoint bool) {
	switch {
	case mountPoint && b.folder:
		p.add(makeFolder{path})
	case mountPoint:
		p.add(makeFolder{filepath.Dir(path)}, makeFile{path})
	}
	p.add(bind{b.Source, path})
	if b.ReadOnly {
		p.add(makeReadOnly{path})
	}
}

// isOverlaid reports whether files can be made in folder already. A mount inside an overlaid folder is not overlaid.
func (p *plan) isOverlaid(folder string) bool {
	for _, o := range p.overlaid {
		if !isWithin(o, folder) {
			continue
		}
		covered := func(m string) bool { return m != o && isWithin(o, m) && isWithin(m, folder) }
		direct := o != "/" || folder == "/" // of a new root, only the root itself is new
		if direct && !slices.ContainsFunc(p.mounts, covered) {
			return true
		}
	}
	return false
}

// outermostWithin returns those of the mount points inside folder that are not inside another one of them.
func outermostWithin(folder string, mounts []string) []string {
	var inside []string
	for _, m := range slices.Sorted(slices.Values(mounts)) { // an outer one sorts before its inner ones
		within := func(outer string) bool { return isWithin(outer, m) }
		if m != folder && isWithin(folder, m) && !slices.ContainsFunc(inside, within) {
			inside = append(inside, m)
		}
	}
	return inside
}

// isWithin reports whether path is folder or below it. Both are absolute and clean.
func isWithin(folder, path string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}
