// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestArgumentsHint splits a command line only where a shell would see the same words.
func TestArgumentsHint(t *testing.T) {
	const example = `command = ["/usr/local/bin/example", "--verbose"]`
	for line, want := range map[string]string{
		"/bin/true":             `command = ["/bin/true"]`,
		"/bin/test -w  /srv/a":  `command = ["/bin/test", "-w", "/srv/a"]`,
		`/bin/sh -c "exit 1"`:   example,
		`/bin/sh -c 'exit 1'`:   example,
		`/bin/a\ b`:             example,
		"/bin/true; /bin/false": example,
		"/bin/ls $HOME":         example,
		"/bin/cat /srv/*":       example,
		"  ":                    example,
	} {
		if got := argumentsHint(line); !strings.HasSuffix(got, ": "+want) {
			t.Errorf("argumentsHint(%q) = %q, want %s", line, got, want)
		}
	}
}

// TestHintsAreTOML reads the arrays of hints back.
func TestHintsAreTOML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "elements")
		var got map[string][]string
		if err := toml.Unmarshal([]byte(tomlArray("list", want...)), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got["list"]); diff != "" {
			t.Errorf("elements (-want +got):\n%s", diff)
		}
	})
}

// TestCommandLineAsProgram warns of a program with arguments in its name.
func TestCommandLineAsProgram(t *testing.T) {
	const text = "[director]\nname = \"d1\"\n[[vrrp]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"192.0.2.10/24\"]\n" +
		"[[notify]]\ncommand = [\"/bin/true --all\"]\n"
	_, problems := Parse("f", []byte(text), testMachine)
	const want = `f:9:12: warning: program "/bin/true --all" cannot be run: there is no such file, expected an array of the program and each argument, as there is no shell: command = ["/bin/true", "--all"]`
	if len(problems) != 1 || problems[0].String() != want {
		t.Errorf("problems = %v, want %s", problems, want)
	}
}

// withoutIPVS is a machine whose kernel has no IPVS.
type withoutIPVS struct{ machine }

func (withoutIPVS) IPVSFault() string { return "kernel 6.12 was built without it" }

// TestKernelWithoutIPVS is a warning at the first virtual server, and only if there is one.
func TestKernelWithoutIPVS(t *testing.T) {
	const (
		vrrp    = "[director]\nname = \"d1\"\n[[vrrp]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"192.0.2.10/24\"]\n"
		first   = "[[virtual_server]]\nname = \"a\"\naddresses = [\"192.0.2.10:80\"]\n"
		second  = "[[virtual_server]]\nname = \"b\"\naddresses = [\"192.0.2.10:81\"]\n"
		warning = "f:8:1: warning: virtual servers need IPVS: kernel 6.12 was built without it"
	)
	for text, want := range map[string][]string{
		vrrp:                  nil,
		vrrp + first:          {warning},
		vrrp + first + second: {warning},
	} {
		c, problems := Parse("f", []byte(text), withoutIPVS{testMachine})
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
			if p.Lacking {
				t.Errorf("%s: the file is refused, want it tried", p)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || c == nil {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
		if _, problems := Parse("f", []byte(text), nil); len(problems) > 0 {
			t.Errorf("without a machine: %v", problems)
		}
	}
}
