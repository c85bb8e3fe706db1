// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// tlsConfig leaves ServerName empty where neither t nor the request's host
// gives one: see withServerName.
func tlsConfig(t *TLS, host string) (*tls.Config, error) {
	if t == nil {
		t = &TLS{}
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	config := &tls.Config{
		ServerName:         orDefault(t.ServerName, strings.Trim(host, "[]")),
		InsecureSkipVerify: t.SkipVerify,
	}
	if t.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s: no PEM certificate in it", t.CAFile)
	}
	return config, nil
}

// withServerName has the certificate verified for address if config doesn't say
// for whom.
func withServerName(config *tls.Config, address netip.Addr) *tls.Config {
	if config.ServerName != "" {
		return config
	}
	config = config.Clone()
	config.ServerName = address.WithZone("").String()
	return config
}
