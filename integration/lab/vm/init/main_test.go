// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestGuard checks that the program does nothing on a host: this process is not process 1.
func TestGuard(t *testing.T) {
	if _, err := guard(); err == nil || !strings.Contains(err.Error(), "not process 1") {
		t.Errorf("guard: got error %v", err)
	}
}

func TestExitCode(t *testing.T) {
	tests := []struct {
		name   string
		status syscall.WaitStatus // of wait(2): exit code in the second byte, signal in the lower seven bits
		want   int
	}{
		{"success", 0, 0},
		{"failure", 7 << 8, 7},
		{"killed", 9, 137},
		{"dumped core", 11 | 0x80, 139},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(tt.status); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
