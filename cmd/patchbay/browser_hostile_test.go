package main_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// hostile is a guide that tries in many ways to have a browser do something.
const hostile = "# Hello <script>window.ran=1</script>\n\n<script>window.ran=2</script>\n<img src=x onerror=\"window.ran=3\">\n" +
	"<svg onload=\"window.ran=4\"></svg><style>*{display:none!important}</style>\n<iframe srcdoc=\"<script>parent.ran=5</script>\"></iframe>\n" +
	"<details open ontoggle=\"window.ran=6\"><summary>x</summary></details><base href=\"//www.example.com/\">\n" +
	"<meta http-equiv=refresh content=\"0;url=/logout\"><a href=\"javascript:window.ran=7\" autofocus onfocus=\"window.ran=8\">raw</a>\n\n" +
	"[click](javascript:window.ran=9) [data](data:text/html,<script>1</script>)\n\n```\"><script>window.ran=10</script>\nx\n```\n\nThe end of it.\n"

// TestHostileGuideInBrowser looks at a stranger's guide in a real browser: no
// script runs, and the policy had nothing to stop, which the console would say.
func TestHostileGuideInBrowser(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"bad/lab.yaml": "title: '<script>window.ran=11</script>'\nsummary: '<img src=x onerror=window.ran=12>'\nnodes: {pc1: {}}\n", "bad/guide.md": hostile} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := admin.Post(s.url+"/api/v1/labs?name=bad.zip", "application/zip", &b)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("sending the lab: %s", resp.Status)
	}
	p := s.browse()
	p.logIn("admin")
	for _, path := range []string{"/labs", "/labs/bad/versions", "/labs/bad"} {
		p.do(chromedp.Navigate(s.url + path))
		p.wait("the page "+path, `document.body.checkVisibility() && location.pathname === "`+path+`"`)
		if path == "/labs/bad" {
			p.wait("the guide", `document.body.innerText.includes("The end of it.")`)
			eval[int](p, `(document.querySelectorAll(".guide a, #guide a").forEach(a => a.click()), 0)`)
			p.shot("guide")
		}
		if ran := eval[bool](p, `"ran" in window`); ran {
			p.fail("%s: a script ran: %v", path, eval[int](p, `window.ran`))
		}
		if n := eval[int](p, `document.querySelectorAll("iframe, base, meta[http-equiv], [onerror], [onload], [onfocus], a[href^='javascript:'], a[href^='data:']").length`); n != 0 {
			p.fail("%s has %d things that act", path, n)
		}
	}
}
