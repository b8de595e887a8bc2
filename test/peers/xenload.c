/*
 * What the domain builder of the installed Xen (libxenguest) says of kernels, on a host without Xen.
 * FILE... -> a line each: "pv=TYPE pvh=TYPE FILE"; TYPE: xen-3.0-x86_64 ..., or - where it does not take the kernel so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xenguest.h>
#include <xentoollog.h>

struct logger { xentoollog_logger vtable; int pvh; };
static void vmessage(xentoollog_logger *l, xentoollog_level level, int err, const char *context, const char *format, va_list al) {
  char line[1024];
  vsnprintf(line, sizeof line, format, al);
  if (strstr(line, "Found PVH image")) ((struct logger *)l)->pvh = 1;
  if (getenv("XENLOAD_LOG")) fprintf(stderr, "%s", line);
}
static void progress(xentoollog_logger *l, const char *c, const char *d, int p, unsigned long done, unsigned long total) {}
static void destroy(xentoollog_logger *l) {}

static void parse(const char *file, int hvm, char *type, size_t size) {
  struct logger log = { { vmessage, progress, destroy }, 0 };
  xc_interface *xch = xc_interface_open(&log.vtable, &log.vtable, XC_OPENFLAG_DUMMY);
  struct xc_dom_image *dom = xch ? xc_dom_allocate(xch, "", NULL) : NULL;
  if (!dom) { perror("libxenguest"); exit(1); }
  strcpy(dom->xen_caps, "xen-3.0-x86_64 xen-3.0-x86_32p hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64");
  dom->container_type = hvm ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
  int good = xc_dom_kernel_file(dom, file) == 0 && xc_dom_parse_image(dom) == 0 && dom->guest_type && (!hvm || log.pvh);
  snprintf(type, size, "%s", good ? dom->guest_type : "-");
  xc_dom_release(dom);
}

int main(int argc, char **argv) {
  char pv[64], pvh[64];
  for (int i = 1; i < argc; i++) {
    parse(argv[i], 0, pv, sizeof pv);
    parse(argv[i], 1, pvh, sizeof pvh);
    printf("pv=%s pvh=%s %s\n", pv, pvh, argv[i]);
  }
}
