package grade

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Resolve: see Kinds.
type Resolve struct {
	At            `yaml:",inline"`
	Name          string   `json:"name" yaml:"name" doc:"The name, or an address for its reverse name."`
	Type          string   `json:"type,omitempty" yaml:"type" doc:"A, AAAA, PTR, MX, NS, CNAME, TXT, SOA or SRV; A, or PTR for an address, when nothing is said."`
	Server        string   `json:"server,omitempty" yaml:"server" doc:"The name server that is asked, as ADDRESS or ADDRESS:PORT; “dns” when nothing is said."`
	Code          string   `json:"code,omitempty" yaml:"code" doc:"The response code: NOERROR (when nothing is said), NXDOMAIN, REFUSED, SERVFAIL, …"`
	Values        []string `json:"values,omitempty" yaml:"values" doc:"Data that the answer has to hold, as in a zone file: 10.0.0.1, “10 mail.example.com.”"`
	Exact         bool     `json:"exact,omitempty" yaml:"exact" doc:"The answer holds nothing besides values."`
	Min           int      `json:"min,omitempty" yaml:"min" doc:"How many records of the type there are at least."`
	Authoritative *bool    `json:"authoritative,omitempty" yaml:"authoritative" doc:"Whether the server speaks for the zone (the flag AA)."`
	TCP           bool     `json:"tcp,omitempty" yaml:"tcp" doc:"Ask by TCP."`
	By            string   `json:"by,omitempty" yaml:"by" doc:"Whose port the answer has to leave: NODE or NODE/INTERFACE. When nothing is said it is the node that the lab gives the address to, if there is one; * lets anybody answer."`
}

// Nodes is part of Kind.
func (k *Resolve) Nodes() []string { return nodesOf(k.By) }

// Interfaces is part of Placer.
func (k *Resolve) Interfaces() []string { return interfacesOf(k.By) }

// Segments is part of Kind.
func (k *Resolve) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Resolve) Probes() []string { return k.probes() }

// Validate is part of Kind.
func (k *Resolve) Validate(report report) {
	k.validate(report)
	validatePlace(report, "by", k.By)
	if k.Name == "" || len(k.Name) > 255 {
		report("name", "", "there is no name to ask for")
	}
	if k.Server == "" && k.DNS == "" {
		report("server", "write the name server's address", "there is no server to ask")
	}
	if _, err := k.AddrPort(); err != nil {
		report("server", "write ADDRESS or ADDRESS:PORT", "%q is no server", k.Server)
	}
	if k.Type != "" && !typePattern.MatchString(k.Type) {
		report("type", "", "%q is no type of record", k.Type)
	}
	if k.Exact && len(k.Values) == 0 {
		report("values", "list what the answer is to hold", "exactly nothing is expected; use code or min")
	}
}

// AddrPort is the server that is asked; invalid when it is the probe's own.
func (k *Resolve) AddrPort() (netip.AddrPort, error) {
	if k.Server == "" {
		return netip.AddrPort{}, nil
	}
	if a, err := netip.ParseAddr(k.Server); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	return netip.ParseAddrPort(k.Server)
}

// Wanted is the response code that is expected.
func (k *Resolve) Wanted() string {
	if k.Code == "" {
		return "NOERROR"
	}
	return strings.ToUpper(k.Code)
}

// Expect is part of Kind.
func (k *Resolve) Expect() string {
	server := k.Server
	if server == "" {
		server = k.DNS
	}
	what := k.Name
	if k.Type != "" {
		what = strings.ToUpper(k.Type) + " of " + what
	}
	s := fmt.Sprintf("%s answers for %s with %s", server, what, k.Wanted())
	if len(k.Values) > 0 {
		s += ": " + strings.Join(k.Values, ", ")
	}
	if k.Exact {
		s += " and nothing else"
	}
	if k.Min > 0 {
		s += ", at least " + several(k.Min, "record")
	}
	if k.Authoritative != nil {
		s += map[bool]string{true: ", with authority", false: ", without authority"}[*k.Authoritative]
	}
	return s + answering(k.By)
}

// Fetch: see Kinds.
type Fetch struct {
	At       `yaml:",inline"`
	URL      string            `json:"url" yaml:"url" doc:"http:// or https://. Redirections are not followed."`
	Connect  string            `json:"connect,omitempty" yaml:"connect" doc:"The address that the connection goes to, whatever the URL's name means to a name server."`
	Method   string            `json:"method,omitempty" yaml:"method" doc:"GET when nothing is said."`
	Body     string            `json:"body,omitempty" yaml:"body" doc:"What is sent with the request."`
	Status   int               `json:"status,omitempty" yaml:"status" doc:"The status that is expected; 200 when nothing is said."`
	Contains []string          `json:"contains,omitempty" yaml:"contains" doc:"Texts in the first MiB of the answer."`
	Regex    string            `json:"regex,omitempty" yaml:"regex" doc:"A regular expression that matches in it."`
	SHA256   string            `json:"sha256,omitempty" yaml:"sha256" doc:"The answer's SHA-256, in hexadecimal."`
	Header   map[string]string `json:"header,omitempty" yaml:"header" doc:"Header lines of the answer; a value that begins and ends with / is a regular expression."`
	TLSNames []string          `json:"tls_names,omitempty" yaml:"tls_names" doc:"Names that the server's certificate is good for, each of them."`
	Issuer   string            `json:"issuer,omitempty" yaml:"issuer" doc:"A text in the name of who issued the certificate."`
	By       string            `json:"by,omitempty" yaml:"by" doc:"Whose port the answer has to leave: NODE or NODE/INTERFACE. When nothing is said it is the node that the lab gives the address to, if there is one; * lets anybody answer."`
}

// Nodes is part of Kind.
func (k *Fetch) Nodes() []string { return nodesOf(k.By) }

// Interfaces is part of Placer.
func (k *Fetch) Interfaces() []string { return interfacesOf(k.By) }

// Segments is part of Kind.
func (k *Fetch) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Fetch) Probes() []string { return k.probes() }

// Validate is part of Kind.
func (k *Fetch) Validate(report report) {
	k.validate(report)
	validatePlace(report, "by", k.By)
	u, err := url.Parse(k.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		report("url", "write it as http://10.0.0.1/", "%q is no URL that can be fetched", k.URL)
	} else if _, err := netip.ParseAddr(u.Hostname()); err != nil && k.DNS == "" && k.Connect == "" {
		report("dns", "name the server to ask, or the address with connect", "nobody is there to ask for %s", u.Hostname())
	} else if u.Scheme == "http" && (len(k.TLSNames) > 0 || k.Issuer != "") {
		report("url", "", "a server of http:// shows no certificate")
	}
	validateAddress(report, "connect", k.Connect)
	if k.Status != 0 && (k.Status < 100 || k.Status > 599) {
		report("status", "", "%d is no status", k.Status)
	}
	oneOf(report, "method", k.Method, "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
	for i, s := range k.Contains {
		validateLength(report, "contains["+itoa(i)+"]", s)
	}
	validateRegex(report, "regex", k.Regex)
	validateLength(report, "body", k.Body)
	if b, err := hex.DecodeString(k.SHA256); k.SHA256 != "" && (err != nil || len(b) != 32) {
		report("sha256", "sha256sum FILE prints it", "%q is no SHA-256", k.SHA256)
	}
	for name, v := range k.Header {
		if expr, is := Slashed(v); is {
			validateRegex(report, "header."+name, expr)
		}
	}
}

// Slashed is what stands between two slashes, and whether a text is that.
func Slashed(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '/' && s[len(s)-1] == '/' {
		return s[1 : len(s)-1], true
	}
	return s, false
}

// Wanted is the status that is expected.
func (k *Fetch) Wanted() int {
	if k.Status == 0 {
		return 200
	}
	return k.Status
}

// Expect is part of Kind.
func (k *Fetch) Expect() string {
	s := fmt.Sprintf("%s answers a machine on %s with %d", k.URL, k.Segment, k.Wanted())
	for _, c := range k.Contains {
		s += " and " + strconv.Quote(c)
	}
	if k.Regex != "" {
		s += " and what matches " + k.Regex
	}
	if k.SHA256 != "" {
		s += " and the content with the SHA-256 " + k.SHA256
	}
	for _, name := range slices.Sorted(maps.Keys(k.Header)) {
		s += fmt.Sprintf(", “%s: %s”", name, k.Header[name])
	}
	if len(k.TLSNames) > 0 {
		s += ", by a certificate for " + strings.Join(k.TLSNames, ", ")
	}
	if k.Issuer != "" {
		s += ", issued by " + k.Issuer
	}
	return s + answering(k.By)
}
