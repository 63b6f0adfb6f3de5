/* Settings in force as JSON, by the same table of keys that reads them (keys.h): what is added there is
 * shown. A duration's name ends in _ms, a size's in _bytes; 0 is the key's word for it (off, unlimited,
 * auto). */
#ifndef SLUICE_CONF_SHOW_H
#define SLUICE_CONF_SHOW_H

#include "conf/settings.h"
#include <jansson.h>

/* {"top", "log", "client", "tls", "http2", "listeners": […], "upstreams": […], "routes": […]}: a new
 * reference, NULL without memory. */
json_t *settings_show(const struct settings *s);

#endif
