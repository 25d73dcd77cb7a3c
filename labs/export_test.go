package labs

// DidYouMean lets tests see it.
var DidYouMean = didYouMean

// Hold takes a slot until the function that it gives is called.
func (p *Passwords) Hold() (free func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}
