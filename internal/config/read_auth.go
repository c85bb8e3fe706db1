// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	minAuthWindow     = time.Second
	maxAuthWindow     = time.Hour
	defaultAuthWindow = 5 * time.Second // or three advertisement intervals, draft-cassen-vrrp-auth-hmac
)

// password reads the simple text of version 2 (RFC 2338 section 5.3.6).
func (r *instanceReader) password(t *table, version int) string {
	password, file := r.secret(t, "password"), r.secretFile(t, "password_file")
	_, isText := t.values["password"]
	_, isFile := t.values["password_file"]
	_, isKeyed := t.values["auth"]
	key, f := "password", password
	if isFile {
		key, f = "password_file", file
	}
	switch {
	case !isText && !isFile:
	case isText && isFile:
		r.doc.errorf(f.at, "password_file beside password: expected one of them")
	case version != version2:
		r.doc.errorf(f.at, "%s is of version 2 only: expected auth, with a key", key)
	case isKeyed:
		r.doc.errorf(f.at, "%s beside auth: expected auth alone, which protects", key)
	case f.ok && (f.value == "" || len(f.value) > maxPassword):
		r.doc.errorf(f.at, "the %s has %d bytes, expected 1 to %d", strings.TrimSuffix(key, "_file"), len(f.value), maxPassword)
	}
	return f.value
}

// auth reads the [vrrp.auth] table, nil if there is none.
func (r *instanceReader) auth(t *table, advertInterval time.Duration) *Auth {
	if t == nil {
		return nil
	}
	a := &Auth{
		Mode:   t.choice("mode", "enforce", "permissive", "receive-only").or("enforce"),
		Replay: t.choice("replay", "time", "monotonic").or("time"),
	}
	window := t.duration("window", minAuthWindow, maxAuthWindow)
	if window.ok && a.Replay == "monotonic" {
		r.doc.warnf(window.at, `window has no effect with replay = "monotonic"`)
	}
	a.Window = window.or(max(3*advertInterval, defaultAuthWindow))

	t.require("keys", "the shared secrets, at least one")
	ids := unique[int]{}
	r.hide(t.values["keys"])
	tables := t.tables("keys")
	if list, ok := t.values["keys"].([]any); ok && len(list) == 0 {
		r.doc.errorf(t.place.field("keys").value, `keys has no key, expected at least one: keys = [{ id = 1, key_file = "vrrp.key" }]`)
	}
	for _, k := range tables {
		a.Keys = append(a.Keys, r.authKey(k, ids))
	}
	active := t.integer("active_key", 1, 255)
	if _, known := ids[active.value]; active.ok && !known {
		r.doc.errorf(active.at, "active_key is %d, expected the id of one of the keys", active.value)
	}
	if len(a.Keys) > 0 {
		a.ActiveKey = uint8(active.or(int(a.Keys[0].ID)))
	}
	return a
}

// authKey reads one of the keys.
func (r *instanceReader) authKey(t *table, ids unique[int]) Key {
	t.require("id", "the number that advertisements name the key by, 1 to 255, the same on all directors")
	id := t.integer("id", 1, 255)
	if id.ok {
		if line, again := ids.use(id.value, id.at, r.doc); again {
			r.doc.errorf(id.at, "id is %d as in line %d: the keys of an instance differ in it", id.value, line)
		}
	}
	inline, file, credential := r.secret(t, "key"), r.secretFile(t, "key_file"), r.credential(t)
	forms := 0
	for _, key := range []string{"key", "key_file", "credential"} {
		if _, given := t.values[key]; given {
			forms++
		}
	}
	if forms != 1 {
		r.doc.errorf(t.place.value, "%s has %d of key, key_file and credential, expected one of them: where the secret is", t.name, forms)
	}
	if inline.ok && r.exposed {
		r.exposed = false // once is enough
		r.doc.warnf(inline.at, "the key is in a file that others than its owner can read: run chmod 600 %s, or use key_file", r.doc.file)
	}
	k := Key{ID: uint8(id.value)}
	for _, f := range []field[string]{inline, file, credential} {
		if !f.ok {
			continue
		}
		secret, err := parseKey(f.value)
		if err != nil {
			r.doc.errorf(f.at, "bad key: %v", err)
		}
		k.Secret = secret
	}
	return k
}

// credential returns what a credential of the service manager holds (systemd.exec(5)). Only the service itself can read
// it: elsewhere it is lacking.
func (r *instanceReader) credential(t *table) field[string] {
	f := t.text("credential")
	if !f.ok {
		return f
	}
	if strings.ContainsAny(f.value, "/\x00") || f.value == "." || f.value == ".." {
		return refuse(t, f, "credential is %q, expected a name without slashes, as in LoadCredential=", f.value)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		r.doc.lackf(f.at, "credential %q can be read by the service only, with LoadCredential=%s:FILE in its unit: CREDENTIALS_DIRECTORY is not set here", f.value, f.value)
		f.ok = false
		return f
	}
	text, _, err := readSecret(filepath.Join(dir, f.value))
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(t, f, "the service has no credential %q: add LoadCredential=%s:FILE to the [Service] section of its unit and restart it", f.value, f.value)
	}
	if err != nil {
		return refuse(t, f, "cannot read credential: %v", err)
	}
	f.value = text
	return f
}
