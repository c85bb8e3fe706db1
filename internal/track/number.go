// SPDX-License-Identifier: Apache-2.0

package track

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	maxFile   = 64      // bytes that a tracked file may have
	maxNumber = 1000000 // either way; what is beyond counts as this
)

// readNumber returns the number in a file, and 0 with an error where there is none.
func readNumber(path string) (int, error) {
	// Without O_NONBLOCK a FIFO would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil {
		return 0, err
	} else if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("read %s: not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return 0, err
	}
	number, err := parseNumber(text)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return number, nil
}

// parseNumber reads a decimal number with an optional sign and white space around it.
func parseNumber(text []byte) (int, error) {
	if len(text) > maxFile {
		return 0, fmt.Errorf("longer than %d bytes, expected a number", maxFile)
	}
	digits := string(bytes.TrimSpace(text))
	if digits == "" {
		return 0, errors.New("empty, expected a number")
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range it is the nearest number
		return 0, fmt.Errorf("holds %q, expected a number", digits)
	}
	return int(max(-maxNumber, min(number, maxNumber))), nil
}
