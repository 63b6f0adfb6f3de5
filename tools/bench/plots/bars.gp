# A bar per contender, stacked of up to three parts. Before: title_text, ylabel_text, parts, titles, logarithmic.
# $data: name, part 1, 2, 3, sum, least, most.
set title title_text font ",17"
set label 1 caption at screen 0.02, screen 0.105 font ",10" textcolor rgb "#868e96"
set ylabel ylabel_text
set style data histograms
if (parts == 1) {
	set style histogram clustered gap 1 # a stacked one cannot be logarithmic
} else {
	set style histogram rowstacked
}
set style fill solid 0.95 border rgb "#ffffff"
set boxwidth (parts == 1 ? 1 : 0.55)
set xtics font ",12"
# On a logarithmic axis a bar begins where the axis does, and only its end says something.
stats $data using 5 nooutput
if (logarithmic) {
	set logscale y
	set yrange [10 ** (floor(log10(STATS_min)) - 1):STATS_max * 4]
} else {
	set yrange [0:STATS_max * 1.35 + 1e-9]
}
if (parts == 1) set key off
digits(v) = v < 10 ? "%.2f" : v < 100 ? "%.1f" : "%.0f"
array colour[3] = [0x0072b2, 0xadb5bd, 0xdee2e6]
plot for [i=1:parts] $data using (column(i + 1)):xtic(1) title titles[i] lc rgb colour[i], \
	"" using 0:6:(0):($7 - $6) with vectors heads size screen 0.005, 90 fixed lc rgb "#343a40" lw 1.5 notitle, \
	"" using 0:7:(sprintf(digits($5), $5)) with labels offset 0,0.8 font ",11" textcolor rgb "#212529" notitle
