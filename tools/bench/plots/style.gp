# What all plots share. Before: svg (the output's path). After: caption, names, $data (plot.h).
set terminal svg size 960,600 noenhanced font "DejaVu Sans,14" background "#ffffff"
set output svg
set datafile missing "NaN"
set border 3 lc rgb "#868e96"
set tics nomirror textcolor rgb "#343a40"
set grid ytics lc rgb "#e9ecef" lt 1 lw 1
set key top left reverse Left samplen 2 textcolor rgb "#212529"
set bmargin 7
set rmargin 4

# The same contender has the same colour in every plot (Okabe and Ito's palette: told apart by the colour-blind too).
color(name) = name eq "none" ? 0x868e96 : \
	name eq "sluice-splice" ? 0x0072b2 : \
	name eq "sluice-copy" ? 0x56b4e9 : \
	name eq "nginx" ? 0xd55e00 : \
	name eq "nginx-unchunked" ? 0xe69f00 : \
	name eq "haproxy" ? 0x009e73 : \
	name eq "caddy" ? 0xcc79a7 : \
	name eq "h2o" ? 0x8c564b : \
	name eq "envoy" ? 0x5f3dc4 : 0x212529
point(name) = name eq "none" ? 1 : name eq "sluice-splice" ? 7 : name eq "sluice-copy" ? 5 : name eq "nginx" ? 9 : \
	name eq "haproxy" ? 11 : name eq "caddy" ? 15 : name eq "h2o" ? 2 : 13
