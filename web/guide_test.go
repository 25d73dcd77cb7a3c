package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/web"
)

func TestGuide(t *testing.T) {
	for _, c := range []struct {
		name, markdown, want string
	}{
		{"heading one lower", "# Begin", `<h2 id="begin">Begin</h2>`},
		{"heading with an id of its own", "# Begin {#start .c onclick=x}", `<h2 id="start">Begin</h2>`},
		{"commands for a node", "```sh pc1\nip route add 10.0.0.0/8 via 1.2.3.4 && echo \"<ok>\"\n```",
			"<pre class=\"commands\" data-node=\"pc1\"><code class=\"language-sh\">ip route add 10.0.0.0/8 via 1.2.3.4 &amp;&amp; echo &#34;&lt;ok&gt;&#34;\n</code></pre>"},
		{"commands for nobody", "```sh\nls\n```", "<pre><code class=\"language-sh\">ls\n</code></pre>"},
		{"plain block", "```\nls\n```", "<pre><code>ls\n</code></pre>"},
		{"table", "|a|b|\n|-|-|\n|1|2|", "<td>1</td>"},
		{"task list", "- [x] done", `<input checked="" disabled="" type="checkbox"> done`},
		{"link", "[x](https://example.org/a)", `<a href="https://example.org/a" target="_blank" rel="noopener">x</a>`},
		{"link within", "[x](#begin)", `<a href="#begin">x</a>`},
	} {
		got, err := web.RenderGuide(c.markdown)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !strings.Contains(string(got), c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// What no guide may have in it, once it is HTML. In text, which is escaped,
// "<" is "&lt;": tags are found by theirs.
var harmful = regexp.MustCompile(`(?i)<script|<iframe|<object|<embed|<svg|<style|<form|<[^>]* on[a-z]+ *=|<[^>]*(href|src)="? *(javascript|vbscript|data:text)`)

var hostile = []string{
	`<script>alert(1)</script>`,
	`<img src=x onerror=alert(1)>`,
	`[x](javascript:alert(1))`,
	`[x](JaVaScRiPt:alert(1))`,
	"[x](java\tscript:alert(1))",
	`[x](data:text/html,<script>alert(1)</script>)`,
	`![x](javascript:alert(1))`,
	`<javascript:alert(1)>`,
	"```sh pc1\"onclick=\"alert(1)\nls\n```",
	"```sh pc1><script>alert(1)</script>\nls\n```",
	"```<script>\nls\n```",
	"```\n</code></pre><script>alert(1)</script>\n```",
	"# a {onclick=alert(1)}",
	`<svg onload=alert(1)>`,
	`<a href="x" onclick="alert(1)">x</a>`,
	`<style>@import url(//evil.example)</style>`,
	`[x]: javascript:alert(1) "t"` + "\n\n[x]",
	`<details open ontoggle=alert(1)>`,
}

func TestGuideIsInert(t *testing.T) {
	for _, markdown := range hostile {
		got, err := web.RenderGuide(markdown)
		if err != nil {
			t.Errorf("%q: %v", markdown, err)
		}
		if m := harmful.FindString(string(got)); m != "" {
			t.Errorf("%q became\n%s\nwhich has %q", markdown, got, m)
		}
	}
}

func FuzzGuide(f *testing.F) {
	for _, markdown := range hostile {
		f.Add(markdown)
	}
	f.Add("# Begin\n\n```sh pc1\nip route\n```\n\n1. one\n2. two\n\n|a|\n|-|\n|b|")
	f.Fuzz(func(t *testing.T, markdown string) {
		got, err := web.RenderGuide(markdown)
		if err != nil {
			t.Fatal(err)
		}
		if m := harmful.FindString(string(got)); m != "" {
			t.Errorf("became\n%s\nwhich has %q", got, m)
		}
	})
}
