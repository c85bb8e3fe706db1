// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"
)

func TestStatusRange(t *testing.T) {
	const (
		notAStatus = "expected a status from 100 to 599"
		reversed   = "the low end is above the high end"
	)
	tests := []struct {
		r     StatusRange
		text  string
		error string
	}{
		{r: StatusRange{204, 204}, text: "204"},
		{r: StatusRange{200, 299}, text: "200-299"},
		{r: StatusRange{100, 599}, text: "100-599"},
		{r: StatusRange{}, text: "0", error: notAStatus},
		{r: StatusRange{99, 200}, text: "99-200", error: notAStatus},
		{r: StatusRange{200, 600}, text: "200-600", error: notAStatus},
		{r: StatusRange{299, 200}, text: "299-200", error: reversed},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if got := tt.r.String(); got != tt.text {
				t.Errorf("text %q, want %q", got, tt.text)
			}
			err := tt.r.validate()
			if (err == nil) != (tt.error == "") || err != nil && !strings.HasPrefix(err.Error(), tt.error) {
				t.Errorf("error %v, want %q", err, tt.error)
			}
			if tt.error == "" {
				for status, want := range map[int]bool{tt.r.Low - 1: false, tt.r.Low: true, tt.r.High: true, tt.r.High + 1: false} {
					if got := tt.r.Contains(status); got != want {
						t.Errorf("contains %d: %t, want %t", status, got, want)
					}
				}
			}
		})
	}
}
