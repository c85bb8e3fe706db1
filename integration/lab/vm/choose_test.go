// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPreferred(t *testing.T) {
	tests := []struct {
		name    string
		forced  string
		stop    time.Duration
		stopErr error
		want    []kind
		wantErr string
	}{
		{name: "stops are cheap", stop: 2 * time.Microsecond, want: []kind{kindUML, kindQEMU}},
		{name: "stops are dear", stop: 30 * time.Microsecond, want: []kind{kindQEMU, kindUML}},
		{name: "nothing can be traced", stopErr: errors.New("operation not permitted"), want: []kind{kindQEMU, kindUML}},
		{name: "forced against the measurement", forced: "uml", stop: time.Second, want: []kind{kindUML}},
		{name: "forced", forced: "qemu", want: []kind{kindQEMU}},
		{name: "forced to what there is not", forced: "kvm", wantErr: "LVSHA_LAB_VM=kvm: want uml or qemu"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := preferred(tt.forced, tt.stop, tt.stopErr)
			if (err == nil) != (tt.wantErr == "") || err != nil && err.Error() != tt.wantErr {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureStop(t *testing.T) {
	stop, err := measureStop()
	if err != nil {
		t.Skipf("no process can be traced here: %v", err)
	}
	if stop <= 0 {
		t.Errorf("a stop takes %v", stop)
	}
}
