"""A report as one HTML file: no script, no request, drawings as inline SVG coloured by the style sheet."""
