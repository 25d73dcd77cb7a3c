package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Transport makes HTTP requests from the Host, each by a connection of its own.
// Names are asked for from Options.DNS. What goes wrong with the network is an
// Error inside what http.Client returns. A server that is silent is waited for
// until the request's context ends: give it a deadline.
func (h *Host) Transport() *http.Transport {
	return &http.Transport{
		DialContext:       h.Dial,
		DisableKeepAlives: true,
		ForceAttemptHTTP2: true,
	}
}

// Client is an HTTP client on Transport that follows no redirection: who
// judges wants to see it.
func (h *Host) Client() *http.Client {
	return &http.Client{
		Transport:     h.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// TLSOptions say what a server is asked for and held to.
type TLSOptions struct {
	ServerName string         // asked for and checked; "" means the host of the address
	Roots      *x509.CertPool // trusted; nil trusts nobody
	NextProtos []string       // offered, in order
	Now        time.Time      // for the certificates' dates; zero means now
}

// TLS is what a server showed.
type TLS struct {
	State tls.ConnectionState
	Chain []*x509.Certificate // as sent, the server's own first

	// Verdict is nil when the chain leads to a trusted root, is in date and
	// names the server; else why not.
	Verdict error
}

// TLS connects to "address:port" by TCP, shakes hands, reports what the server
// shows and closes. A chain that does not hold is no error but a Verdict; a
// handshake that fails is one.
func (h *Host) TLS(ctx context.Context, address string, o TLSOptions) (TLS, error) {
	a := asked{"shake hands (TLS) with", address}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return TLS{}, err
	}
	defer end()
	begun := time.Now()
	name := o.ServerName
	if name == "" {
		if name, _, err = net.SplitHostPort(address); err != nil {
			return TLS{}, a.fault(err, "reading the address")
		}
	}
	c, err := h.Dial(ctx, "tcp", address)
	if err != nil {
		return TLS{}, err
	}
	defer c.Close()
	// The chain is checked below, for the report to have it either way.
	t := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: o.NextProtos})
	if err := t.HandshakeContext(ctx); err != nil {
		return TLS{}, h.handshakeError(ctx, a, begun, err)
	}
	s := TLS{State: t.ConnectionState()}
	s.Chain = s.State.PeerCertificates
	s.Verdict = verify(s.Chain, name, o)
	t.Close()
	return s, nil
}

func (h *Host) handshakeError(ctx context.Context, a asked, begun time.Time, err error) error {
	if ctx.Err() != nil {
		return h.over(ctx, a, begun, "the handshake did not end")
	}
	if e, ok := errors.AsType[*Error](err); ok {
		named := *e
		named.Op, named.Target = a.op, a.target
		return &named
	}
	cause := Broken
	if strings.HasPrefix(err.Error(), "remote error: ") {
		cause = Refused
	}
	e := a.found(cause, netip.Addr{}, "the handshake failed")
	e.Err = err
	return e
}

func verify(chain []*x509.Certificate, name string, o TLSOptions) error {
	if len(chain) == 0 {
		return errors.New("the server sent no certificate")
	}
	roots, between := o.Roots, x509.NewCertPool()
	if roots == nil {
		roots = x509.NewCertPool()
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: o.Now})
	return err
}
