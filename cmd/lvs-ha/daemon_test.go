// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestFindWithoutFlags never fails, whatever the default configuration is.
func TestFindWithoutFlags(t *testing.T) {
	if dir, err := new(daemonFlags).find(); err != nil || dir == "" {
		t.Errorf("find() = %q, %v", dir, err)
	}
}
