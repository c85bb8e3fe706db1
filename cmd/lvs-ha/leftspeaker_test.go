// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const unixHeader = "Num       RefCount Protocol Flags    Type St Inode Path\n"

func TestListener(t *testing.T) {
	const path = "/run/lvs-ha/speaker.sock"
	for _, test := range []struct {
		name, table string
		want        uint64 // 0: none
	}{
		{"nothing", "", 0},
		{"header alone", unixHeader, 0},
		{"listens", unixHeader + "0000000000000000: 00000002 00000000 00010000 0001 01 23456 " + path + "\n", 23456},
		{"short inode", "ffff88800a2d8000: 00000002 00000000 00010000 0001 01    77 " + path + "\n", 77},
		{"connected", "0000000000000000: 00000003 00000000 00000000 0001 03 23457 " + path + "\n", 0},
		{"connected, then listens", "0: 00000003 00000000 00000000 0001 03 23457 " + path + "\n0: 00000002 00000000 00010000 0001 01 23456 " + path + "\n", 23456},
		{"another path", "0: 00000002 00000000 00010000 0001 01 23456 " + path + "2\n0: 00000002 00000000 00010000 0001 01 23456 /x" + path + "\n", 0},
		{"a path that ends so", "0: 00000002 00000000 00010000 0001 01 23456 /x " + path + "\n", 0},
		{"abstract", "0: 00000002 00000000 00010000 0001 01 23456 @" + path + "\n", 0},
		{"no path", "0: 00000002 00000000 00010000 0001 01 23456\n", 0},
		{"garbled", "0: 00000002 00000000 0001000g 0001 01 23456 " + path + "\n0: 0 0 00010000 0001 01 x " + path + "\n", 0},
	} {
		if got, ok := listener(test.table, path); got != test.want || ok != (test.want > 0) {
			t.Errorf("%s: listener() = %d, %t; want %d", test.name, got, ok, test.want)
		}
	}
}

func FuzzListener(f *testing.F) {
	f.Add(unixHeader+"0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/a\n", "/run/a")
	f.Add("0: 0 0 10000 1 1 1  \n\n /", " ")
	f.Fuzz(func(t *testing.T, table, path string) {
		inode, ok := listener(table, path)
		if !ok && inode != 0 {
			t.Errorf("inode %d of no socket", inode)
		}
		// A socket is found whatever stands before it, unless a path spans lines.
		if strings.Contains(path, "\n") || ok {
			return
		}
		line := fmt.Sprintf("0: 00000002 00000000 00010000 0001 01 %d %s\n", 7, path)
		if got, ok := listener(strings.TrimSuffix(table, "\n")+"\n"+line, path); !ok || got != 7 {
			t.Errorf("listener() = %d, %t, want the socket of %q", got, ok, line)
		}
	})
}

// TestLeftSpeaker is about a real socket: our own.
func TestLeftSpeaker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speaker.sock")
	if got := leftSpeaker(path); got != "" {
		t.Errorf("leftSpeaker() of nobody = %q", got)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := fmt.Sprintf("a speaker's process (pid %d) still listens at %s: it holds the VIPs", os.Getpid(), path)
	if got := leftSpeaker(path); !strings.HasPrefix(got, want) {
		t.Errorf("leftSpeaker() = %q, want %q", got, want)
	}
}
