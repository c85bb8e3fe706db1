// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	minKey, maxKey = 32, 64 // bytes, draft-cassen-vrrp-auth-hmac
	maxPassword    = 8      // bytes, RFC 2338 section 5.3.10
	maxSecretFile  = 4096   // bytes

	// forOthers are the permissions that a file of secrets gives to nobody but its owner, as for ssh's private keys.
	forOthers fs.FileMode = 0o077
)

// secret returns a value that no output may repeat.
func (r *reader) secret(t *table, key string) field[string] {
	r.hide(t.values[key])
	return t.text(key)
}

// hide keeps the strings of a value out of the output: somebody may have written a key where a table belongs.
func (r *reader) hide(v any) {
	switch v := v.(type) {
	case string:
		r.doc.secrets = append(r.doc.secrets, v)
	case []any:
		for _, e := range v {
			r.hide(e)
		}
	}
}

// secretFile returns the text in the file that a key names. It must be the owner's alone.
func (r *reader) secretFile(t *table, key string) field[string] {
	f := t.text(key)
	if !f.ok {
		return f
	}
	f.value = r.file(f.value)
	text, mode, err := readSecret(f.value)
	if err != nil {
		return refuse(t, f, "cannot read %s: %v", key, err)
	}
	if mode&forOthers != 0 {
		return refuse(t, f, "%s %s is open to others than its owner (mode %04o): run chmod 600 %s", key, f.value, mode, f.value)
	}
	f.value = text
	return f
}

// readSecret returns the text of a file without the line end at its end, and the file's permissions.
func readSecret(file string) (text string, mode fs.FileMode, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", 0, err
	}
	switch mode = info.Mode().Perm(); {
	case !info.Mode().IsRegular():
		return "", mode, fmt.Errorf("%s is not a regular file", file)
	case info.Size() == 0:
		return "", mode, fmt.Errorf("%s is empty", file)
	case info.Size() > maxSecretFile:
		return "", mode, fmt.Errorf("%s has %d bytes, expected at most %d", file, info.Size(), maxSecretFile)
	}
	data, err := os.ReadFile(file)
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), mode, err
}

// parseKey returns the bytes of a key: hexadecimal digits after "hex:", base64 after "base64:", or the text itself. Its
// errors do not repeat the text.
func parseKey(text string) ([]byte, error) {
	key := []byte(text)
	if digits, ok := strings.CutPrefix(text, "hex:"); ok {
		decoded, err := hex.DecodeString(digits)
		if err != nil {
			return nil, errors.New(`expected pairs of hexadecimal digits after "hex:"`)
		}
		key = decoded
	} else if digits, ok := strings.CutPrefix(text, "base64:"); ok {
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(digits, "="))
		if err != nil {
			return nil, errors.New(`expected letters, digits, + and / of base64 after "base64:"`)
		}
		key = decoded
	} else if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errors.New(`expected text without control characters, or other bytes after "hex:" or "base64:"`)
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("it has %d bytes, expected %d to %d", len(key), minKey, maxKey)
	}
	return key, nil
}
