package grade

import (
	"fmt"
	"net/url"
	"strings"
)

// Names: see Kinds.
type Names struct {
	Node          string   `json:"node" yaml:"node" doc:"The node that asks."`
	Name          string   `json:"name,omitempty" yaml:"name" doc:"The name that is asked for."`
	Type          string   `json:"type,omitempty" yaml:"type" doc:"The type of record; A when nothing is said."`
	Server        string   `json:"server,omitempty" yaml:"server" doc:"The address of the server that is asked; the node's own name server when nothing is said."`
	Answers       []string `json:"answers,omitempty" yaml:"answers" doc:"What the answer holds, every one: addresses, names, texts."`
	OneOf         []string `json:"one_of,omitempty" yaml:"one_of" doc:"Data of which one is in the answer, and none that is not in this list."`
	Hosts         []string `json:"hosts,omitempty" yaml:"hosts" doc:"Addresses of the names that the answer holds, as with NS and MX, every one; the same server is asked for them."`
	Only          bool     `json:"only,omitempty" yaml:"only" doc:"The answer holds nothing else."`
	Status        string   `json:"status,omitempty" yaml:"status" doc:"NOERROR, NXDOMAIN, REFUSED, SERVFAIL; NOERROR when nothing is said."`
	Authoritative *bool    `json:"authoritative,omitempty" yaml:"authoritative" doc:"Whether the server says that it has authority for the name."`
	Recursion     *bool    `json:"recursion,omitempty" yaml:"recursion" doc:"Whether the server offers to ask others."`
	Resolver      string   `json:"resolver,omitempty" yaml:"resolver" doc:"The name server that the node's resolv.conf names first."`
}

func (k *Names) Nodes() []string    { return []string{k.Node} }
func (k *Names) Segments() []string { return nil }

func (k *Names) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if k.Name == "" && k.Resolver == "" {
		report("name", "write the name to ask for", "there is nothing to ask")
	}
	if strings.HasPrefix(k.Name, "-") || strings.HasPrefix(k.Name, "+") || strings.ContainsAny(k.Name, " @") {
		report("name", "", "%q is no name", k.Name)
	}
	askOneOf(report, "type", strings.ToUpper(k.Type), "A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA", "DS", "DNSKEY", "HTTPS", "ANY")
	askOneOf(report, "status", strings.ToUpper(k.Status), "NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "FORMERR", "NOTIMP")
	askAddr(report, "server", k.Server)
	askAddr(report, "resolver", k.Resolver)
	for i, h := range k.Hosts {
		askAddr(report, fmt.Sprintf("hosts[%d]", i), h)
	}
}

func (k *Names) Expect() string {
	if k.Name == "" {
		return k.Node + " asks " + k.Resolver + " for names"
	}
	kind, server, status := k.Type, k.Server, k.Status
	if kind == "" {
		kind = "A"
	}
	if server == "" {
		server = "its name server"
	}
	answers := ""
	if len(k.Answers) > 0 {
		answers = "holds " + listed(k.Answers)
		if k.Only {
			answers += " and nothing else"
		}
	}
	oneOf := ""
	if len(k.OneOf) > 0 {
		oneOf = "holds nothing but " + strings.Join(k.OneOf, " or ")
	}
	if strings.EqualFold(status, "NOERROR") {
		status = ""
	}
	return parts(fmt.Sprintf("the answer that %s gets from %s for %s %s", k.Node, server, k.Name, strings.ToUpper(kind)), answers, oneOf, say("names machines with the addresses ", listed(k.Hosts)),
		say("is ", strings.ToUpper(status)), sayBool(k.Authoritative, "has authority", "has no authority"),
		sayBool(k.Recursion, "offers recursion", "offers no recursion"), say("the name server is ", k.Resolver))
}

// HTTP: see Kinds.
type HTTP struct {
	Node     string            `json:"node" yaml:"node" doc:"The node that fetches."`
	URL      string            `json:"url" yaml:"url" doc:"What it fetches: http://10.0.0.1/ or https://…"`
	Method   string            `json:"method,omitempty" yaml:"method" doc:"GET when nothing is said."`
	Status   int               `json:"status,omitempty" yaml:"status" doc:"The status code; 200 when nothing is said. -1 takes any."`
	Contains []string          `json:"contains,omitempty" yaml:"contains" doc:"Texts in the body; with “!” in front, that are not."`
	Matches  []string          `json:"matches,omitempty" yaml:"matches" doc:"Regular expressions that match the body."`
	Headers  map[string]string `json:"headers,omitempty" yaml:"headers" doc:"Headers of the answer; * for one that is there, whatever it says."`
	Send     map[string]string `json:"send,omitempty" yaml:"send" doc:"Headers of the request, such as Host."`
	Body     string            `json:"body,omitempty" yaml:"body" doc:"The body of the request."`
	Insecure bool              `json:"insecure,omitempty" yaml:"insecure" doc:"The server's certificate is not looked at."`
	Follow   bool              `json:"follow,omitempty" yaml:"follow" doc:"A redirection is followed."`
}

func (k *HTTP) Nodes() []string    { return []string{k.Node} }
func (k *HTTP) Segments() []string { return nil }

func (k *HTTP) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if u, err := url.Parse(k.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		report("url", "write it like http://10.0.0.1/", "%q is no address of a web page", k.URL)
	}
	if strings.Trim(k.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		report("method", "write it like GET", "%q is no method", k.Method)
	}
	if k.Status != 0 && k.Status != -1 && (k.Status < 100 || k.Status > 599) {
		report("status", "", "%d is no status code", k.Status)
	}
	for i, e := range k.Matches {
		askRegex(report, fmt.Sprintf("matches[%d]", i), e)
	}
	for name, value := range k.Send {
		if name == "" || strings.ContainsAny(name, ": \r\n") || strings.ContainsAny(value, "\r\n") {
			report("send."+name, "", "this is no header")
		}
	}
}

func (k *HTTP) Expect() string {
	status := "200"
	if k.Status > 0 {
		status = fmt.Sprint(k.Status)
	} else if k.Status < 0 {
		status = "any status"
	}
	var body []string
	for _, c := range k.Contains {
		rest, barred := Barred(c)
		if barred {
			body = append(body, fmt.Sprintf("not %q", rest))
		} else {
			body = append(body, fmt.Sprintf("%q", rest))
		}
	}
	return parts(k.Node+" gets "+k.URL+" with "+status, say("with ", listed(body)), say("matching ", strings.Join(k.Matches, " and ")))
}
