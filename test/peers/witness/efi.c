/*
 * A kernel for UEFI that says what it was given, on COM1, and ends the machine: as the kernel of kernel.s, but started the
 * way systemd-boot and systemd-stub start Linux (load options; the initrd by LoadFile2 on Linux' initrd device path,
 * Documentation/arch/x86/… "LINUX_EFI_INITRD_MEDIA_GUID"). No libraries; position independent; efi.ts makes a PE image of it.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define EFIAPI __attribute__((ms_abi))

struct guid { u32 a; u16 b, c; u8 d[8]; };

/* UEFI specification: EFI_BOOT_SERVICES, only what is called is named. */
struct boot_services {
  u8 header[24];
  void *tpl[2];
  void *memory[3];
  u64 (EFIAPI *allocate_pool)(u32 type, u64 size, void **buffer);
  void *free_pool;
  void *events[6];
  void *install[3];
  u64 (EFIAPI *handle_protocol)(void *handle, const struct guid *protocol, void **interface);
  void *reserved;
  void *register_notify;
  void *locate_handle;
  u64 (EFIAPI *locate_device_path)(const struct guid *protocol, void **path, void **handle);
};
struct system_table {
  u8 header[24];
  void *vendor;
  u32 revision, pad;
  void *console[6];
  void *runtime;
  struct boot_services *boot;
};
struct loaded_image {
  u32 revision, pad;
  void *parent, *system, *device, *path, *reserved;
  u32 options_size, pad2;
  u16 *options;
};
struct load_file { u64 (EFIAPI *load)(struct load_file *self, void *path, u8 policy, u64 *size, void *buffer); };

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static void put(u8 c) { while (!(inb(0x3fd) & 0x20)) ; outb(0x3f8, c); }
static void text(const char *s) { while (*s) put((u8)*s++); }
static void number(u64 n) { if (n >= 10) number(n / 10); put((u8)('0' + n % 10)); }
static void hex(u32 n) { for (int i = 28; i >= 0; i -= 4) put((u8)"0123456789abcdef"[n >> i & 15]); }

extern const char kernel_name[];

__attribute__((section(".text.start"))) u64 EFIAPI start(void *image, struct system_table *system) {
  static const struct guid loaded = { 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
  static const struct guid load_file2 = { 0x4006c0c1, 0xfcb3, 0x403e, { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d } };
  static const u8 initrd_path[] = { 4, 3, 20, 0, 0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f, 0xac, 0x74, 0xca, 0x55,
    0x52, 0x31, 0xcc, 0x68, 0x7f, 0xff, 4, 0 };
  struct boot_services *boot = system->boot;
  struct loaded_image *self = 0;
  text("\r\nWITNESS kernel=[");
  text(kernel_name);
  text("] cmdline=[");
  if (boot->handle_protocol(image, &loaded, (void **)&self) == 0 && self->options)
    for (u32 i = 0; i < self->options_size / 2 && self->options[i]; i++) put((u8)self->options[i]);
  void *path = (void *)initrd_path, *handle = 0;
  struct load_file *files = 0;
  u64 size = 0;
  u8 *data = 0;
  if (boot->locate_device_path(&load_file2, &path, &handle) == 0 &&
      boot->handle_protocol(handle, &load_file2, (void **)&files) == 0) {
    files->load(files, path, 0, &size, 0);
    if (size > 0 && boot->allocate_pool(2, size, (void **)&data) == 0) files->load(files, path, 0, &size, data);
  }
  u32 crc = 0xffffffff;
  for (u64 i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  text("] ramdisk=");
  number(size);
  text(" crc32=");
  hex(~crc);
  text("\r\n");
  outb(0xf4, 0);
  for (;;) ;
}
