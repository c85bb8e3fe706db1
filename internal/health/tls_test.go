// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHTTPS(t *testing.T) {
	good := newCertificate(t, time.Now().Add(time.Hour))
	expired := newCertificate(t, time.Now().Add(-time.Hour))
	goodServer := serveTLS(t, good, tls.NoClientCert)
	expiredServer := serveTLS(t, expired, tls.NoClientCert)
	wantsClientCertificate := serveTLS(t, good, tls.RequireAnyClientCert)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	tests := []struct {
		name   string
		target netip.AddrPort
		host   string
		tls    *TLS
		reason string // a prefix of it
	}{
		{"name from host", goodServer, "www.example.net", &TLS{CAFile: good.file}, ""},
		{"name from host with port", goodServer, "www.example.net:8443", &TLS{CAFile: good.file}, ""},
		{"name set", goodServer, "other.example.net", &TLS{CAFile: good.file, ServerName: "www.example.net"}, ""},
		{"address as name", goodServer, "", &TLS{CAFile: good.file}, ""},
		{"wrong name", goodServer, "ftp.example.net", &TLS{CAFile: good.file},
			"tls: certificate is valid for www.example.net, not ftp.example.net"},
		{"unknown authority", goodServer, "www.example.net", nil, "tls: certificate signed by unknown authority"},
		{"expired", expiredServer, "www.example.net", &TLS{CAFile: expired.file},
			"tls: certificate has expired or is not yet valid: "},
		{"nothing verified", expiredServer, "ftp.example.net", &TLS{SkipVerify: true}, ""},
		{"client certificate wanted", wantsClientCertificate, "", &TLS{SkipVerify: true},
			"tls: server alert: certificate required"},
		{"plain HTTP", addrPort(t, plain.Listener.Addr()), "", nil, "tls: server answers in plain HTTP"},
		{"garbage", serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.net ESMTP\r\n"); waitForEnd(c) }), "", nil,
			"tls: server does not answer in TLS"},
		{"closes at once", serve(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }), "", nil,
			"connection closed before the end of the answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := check(Check{Type: TypeHTTPS, HTTP: &HTTP{Host: tt.host}, TLS: tt.tls}, answer)
			got := probe(t, c, tt.target)
			if got != tt.reason && (tt.reason == "" || !strings.HasPrefix(got, tt.reason)) {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
		})
	}
}

type certificate struct {
	tls.Certificate
	file string // as PEM
}

// newCertificate issues itself a certificate for www.example.net and
// 127.0.0.1.
func newCertificate(t *testing.T, notAfter time.Time) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             notAfter.Add(-24 * time.Hour),
		NotAfter:              notAfter,
		DNSNames:              []string{"www.example.net"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file}
}

func serveTLS(t *testing.T, c certificate, clientAuth tls.ClientAuthType) netip.AddrPort {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c.Certificate}, ClientAuth: clientAuth}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return addrPort(t, server.Listener.Addr())
}
