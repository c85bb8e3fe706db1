// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// withKeys is a file with one instance that has these keys.
func withKeys(keys string) string {
	return "vrrp = [{ name = 'a', interface = 'eth0', vrid = 1, addresses = ['192.0.2.10'], auth = { keys = [" + keys + "] } }]"
}

// messages returns the problems without their positions.
func messages(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		kind := "error: "
		switch {
		case p.Lacking:
			kind = "lacking: "
		case p.Warning:
			kind = "warning: "
		}
		all = append(all, kind+p.Message)
	}
	return all
}

// TestSecretFiles reads keys from files of all kinds.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, mode os.FileMode, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	key := strings.Repeat("k", 32)
	put("good", 0o400, key)
	put("line", 0o600, key+"\n")
	put("open", 0o644, key)
	put("group", 0o640, key)
	put("short", 0o600, "k\n")
	put("empty", 0o600, "")
	put("large", 0o600, strings.Repeat("k", maxSecretFile+1))
	put("binary", 0o600, "\x00"+key)
	name := func(n string) string { return filepath.Join(dir, n) }
	tests := []struct {
		keys        string
		credentials string // CREDENTIALS_DIRECTORY
		want        []string
	}{
		{keys: "{ id = 1, key_file = 'good' }"},
		{keys: "{ id = 1, key_file = 'line' }"},
		{keys: "{ id = 1, key_file = '" + name("good") + "' }"},
		{keys: "{ id = 1, key_file = 'open' }", want: []string{
			"error: key_file " + name("open") + " is open to others than its owner (mode 0644): run chmod 600 " + name("open")}},
		{keys: "{ id = 1, key_file = 'group' }", want: []string{
			"error: key_file " + name("group") + " is open to others than its owner (mode 0640): run chmod 600 " + name("group")}},
		{keys: "{ id = 1, key_file = 'short' }", want: []string{"error: bad key: it has 1 bytes, expected 32 to 64"}},
		{keys: "{ id = 1, key_file = 'empty' }", want: []string{"error: cannot read key_file: " + name("empty") + " is empty"}},
		{keys: "{ id = 1, key_file = 'large' }", want: []string{
			"error: cannot read key_file: " + name("large") + " has 4097 bytes, expected at most 4096"}},
		{keys: "{ id = 1, key_file = 'binary' }", want: []string{
			`error: bad key: expected text without control characters, or other bytes after "hex:" or "base64:"`}},
		{keys: "{ id = 1, key_file = '.' }", want: []string{"error: cannot read key_file: " + dir + " is not a regular file"}},
		{keys: "{ id = 1, key_file = 'none' }", want: []string{
			"error: cannot read key_file: stat " + name("none") + ": no such file or directory"}},
		{keys: "{ id = 1, credential = 'group' }", credentials: dir}, // the manager guards it
		{keys: "{ id = 1, credential = 'none' }", credentials: dir, want: []string{
			`error: the service has no credential "none": add LoadCredential=none:FILE to the [Service] section of its unit and restart it`}},
		{keys: "{ id = 1, credential = 'good' }", want: []string{
			`lacking: credential "good" can be read by the service only, with LoadCredential=good:FILE in its unit: CREDENTIALS_DIRECTORY is not set here`}},
	}
	for _, test := range tests {
		t.Run(test.keys, func(t *testing.T) {
			t.Setenv("CREDENTIALS_DIRECTORY", test.credentials)
			c, problems := Parse(filepath.Join(dir, "lvs-ha.toml"), []byte(withKeys(test.keys)), nil)
			if diff := cmp.Diff(test.want, messages(problems)); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
			if len(problems) == 0 && string(c.Instances[0].Auth.Keys[0].Secret) != key {
				t.Errorf("secret = %q, want %q", c.Instances[0].Auth.Keys[0].Secret, key)
			}
		})
	}
}

// TestExposedKey warns of keys that anybody can read in the configuration file itself, once.
func TestExposedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lvs-ha.toml")
	text := withKeys("{ id = 1, key = '" + strings.Repeat("k", 32) + "' }, { id = 2, key = '" + strings.Repeat("l", 32) + "' }")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode][]string{
		0o600: nil,
		0o640: {"warning: the key is in a file that others than its owner can read: run chmod 600 " + file + ", or use key_file"},
	} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, problems := Load(file, nil)
		if diff := cmp.Diff(want, messages(problems)); diff != "" {
			t.Errorf("mode %o: problems differ (-want +got):\n%s", mode, diff)
		}
	}
}

// TestSecretsStayOut holds that no problem repeats a secret, wherever the operator has put it.
func TestSecretsStayOut(t *testing.T) {
	const secret = "swordfish-swordfish"
	for _, instance := range []string{
		"auth = { keys = [{ id = 0, key = '" + secret + "' }] }",
		"auth = { keys = ['" + secret + "'] }",
		"auth = '" + secret + "'",
		"password = '" + secret + "'",
	} {
		text := "vrrp = [{ name = 'a', interface = 'eth0', vrid = 1, addresses = ['192.0.2.10'], " + instance + " }]"
		_, problems := Parse("test.toml", []byte(text), nil)
		if len(problems) == 0 {
			t.Errorf("%s is accepted", instance)
		}
		for _, p := range problems {
			if strings.Contains(p.Message+p.Source, secret) {
				t.Errorf("%s: problem repeats the secret: %v\n%s", instance, p, p.Source)
			}
		}
	}
}

// TestKeyRoundTrip holds that a key is the same in each of its forms.
func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), minKey, maxKey).Draw(t, "key")
		for _, text := range []string{
			"hex:" + hex.EncodeToString(want), "hex:" + strings.ToUpper(hex.EncodeToString(want)),
			"base64:" + base64.StdEncoding.EncodeToString(want), "base64:" + base64.RawStdEncoding.EncodeToString(want),
		} {
			if got, err := parseKey(text); err != nil || !bytes.Equal(got, want) {
				t.Errorf("parseKey(%q) = %x, %v, want %x", text, got, err, want)
			}
		}
	})
}

// FuzzKey holds that an accepted key has a length that the protocol allows, and an error never repeats the text.
func FuzzKey(f *testing.F) {
	for _, s := range []string{
		strings.Repeat("k", 32), strings.Repeat("k", 65), strings.Repeat("ü", 16), "hex:" + strings.Repeat("00", 32), "hex:0", "hex:",
		"base64:" + strings.Repeat("A", 43) + "=", "base64:*", "base64:", "HEX:00", "\n" + strings.Repeat("k", 32), "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := parseKey(s)
		if err == nil && (len(key) < minKey || len(key) > maxKey) {
			t.Errorf("%q is accepted with %d bytes", s, len(key))
		}
		if err != nil && len(s) > 20 && strings.Contains(fmt.Sprint(err), s) {
			t.Errorf("error repeats %q: %v", s, err)
		}
	})
}
