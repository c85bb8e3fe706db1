// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/hex"
	"strings"
)

// maxPayload is the largest UDP payload over IPv4, in bytes.
const maxPayload = 65535 - 20 - 8

// payload reads the bytes of a datagram: the text itself, or hexadecimal digits after "hex:".
func (r *reader) payload(t *table, key string) field[[]byte] {
	text := t.text(key)
	f := field[[]byte]{at: text.at, ok: text.ok}
	if !text.ok {
		return f
	}
	f.value = []byte(text.value)
	if digits, isHex := strings.CutPrefix(text.value, "hex:"); isHex {
		decoded, err := hex.DecodeString(digits)
		if err != nil || len(decoded) == 0 {
			return refuse(t, f, `%s is %q, expected pairs of hexadecimal digits after "hex:", such as "hex:00ff"`, key, text.value)
		}
		f.value = decoded
	}
	if len(f.value) > maxPayload {
		return refuse(t, f, "%s has %d bytes, expected at most %d: it is one datagram", key, len(f.value), maxPayload)
	}
	return f
}
