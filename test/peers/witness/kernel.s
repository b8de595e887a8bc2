# A kernel that says what it was given and ends the machine. It follows Linux' x86 boot protocol 2.06 (the kernel's
# Documentation/arch/x86/boot.rst): a bootloader that starts it starts Linux the same way. It prints on COM1
#
#     WITNESS kernel=[NAME] cmdline=[…] ramdisk=SIZE crc32=XXXXXXXX
#
# Loaders that enter at the 16-bit entry (syslinux, GRUB legacy, QEMU) come by the setup part, GRUB 2's `linux` comes
# directly to the 32-bit part; both arrive with esi at the boot parameters. index.ts appends `kernel_name`.

        .code16
        .text
        .org    0x1f1
setup_sects:            .byte   1               # sectors after the boot sector that belong to the setup part
root_flags:             .word   0
syssize:                .long   (end - protected + 15) / 16
ram_size:               .word   0
vid_mode:               .word   0xffff
root_dev:               .word   0
boot_flag:              .word   0xaa55
jump:                   .byte   0xeb, setup - header
header:                 .ascii  "HdrS"
version:                .word   0x0206
realmode_swtch:         .long   0
start_sys_seg:          .word   0x1000
kernel_version:         .word   version_text - 0x200
type_of_loader:         .byte   0
loadflags:              .byte   1               # LOADED_HIGH: the 32-bit part lies at 1 MiB
setup_move_size:        .word   0
code32_start:           .long   0x100000
ramdisk_image:          .long   0
ramdisk_size:           .long   0
bootsect_kludge:        .long   0
heap_end_ptr:           .word   0
ext_loader:             .word   0
cmd_line_ptr:           .long   0
initrd_addr_max:        .long   0x37ffffff
kernel_alignment:       .long   0x100000
relocatable_kernel:     .byte   0, 0, 0, 0
cmdline_size:           .long   4095

setup:
        cli
        inb     $0x92, %al                      # A20, in case the loader left it off
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        xorl    %esi, %esi
        movw    %ds, %si                        # the loader's segment of the boot parameters
        shll    $4, %esi
        leal    gdt(%esi), %eax
        movl    %eax, gdt_address
        lgdtl   gdt_pointer
        movl    code32_start, %ebx
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        leal    flat(%esi), %eax
        movl    %eax, far_target
        ljmpl   *far_target
        .code32
flat:   movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        jmp     *%ebx
        .balign 8
gdt:    .quad   0, 0
        .quad   0x00cf9a000000ffff              # 0x10: code, 4 GiB
        .quad   0x00cf92000000ffff              # 0x18: data, 4 GiB
gdt_pointer:            .word   . - gdt - 1
gdt_address:            .long   0
far_target:             .long   0
                        .word   0x10
version_text:           .asciz  "6.1.0-witness (nodegrub) #1"
        .org    0x400

# Position independent: a loader may put it elsewhere.
protected:
        movl    $0x80000, %esp
        call    here
here:   popl    %ebp
        leal    kernel_text - here(%ebp), %edi
        call    print
        leal    kernel_name - here(%ebp), %edi
        call    print
        leal    cmdline_text - here(%ebp), %edi
        call    print
        movl    0x228(%esi), %edi
        testl   %edi, %edi
        jz      1f
        call    print
1:      leal    ramdisk_text - here(%ebp), %edi
        call    print
        movl    0x21c(%esi), %eax
        call    print_decimal
        leal    crc_text - here(%ebp), %edi
        call    print
        call    crc32
        call    print_hex
        leal    end_text - here(%ebp), %edi
        call    print
        movw    $0xf4, %dx                      # QEMU's isa-debug-exit
        xorl    %eax, %eax
        outl    %eax, %dx
        movb    $0xfe, %al                      # else the keyboard controller's reset (-no-reboot ends QEMU)
        outb    %al, $0x64
2:      hlt
        jmp     2b

# the string at edi, to its NUL
print:  movb    (%edi), %al
        testb   %al, %al
        jz      1f
        call    putc
        incl    %edi
        jmp     print
1:      ret

putc:   movb    %al, %ah
        movw    $0x3fd, %dx
1:      inb     %dx, %al
        testb   $0x20, %al
        jz      1b
        movb    %ah, %al
        movw    $0x3f8, %dx
        outb    %al, %dx
        ret

# eax in decimal
print_decimal:
        movl    $10, %ecx
        xorl    %ebx, %ebx
1:      xorl    %edx, %edx
        divl    %ecx
        pushl   %edx
        incl    %ebx
        testl   %eax, %eax
        jnz     1b
2:      popl    %eax
        addb    $'0', %al
        call    putc
        decl    %ebx
        jnz     2b
        ret

# eax in eight hexadecimal digits
print_hex:
        movl    %eax, %ebx
        movl    $8, %ecx
1:      roll    $4, %ebx
        movb    %bl, %al
        andb    $15, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     2f
        addb    $'a' - '9' - 1, %al
2:      call    putc
        loop    1b
        ret

# eax = CRC-32 of the ramdisk (ISO-HDLC, zlib's)
crc32:  movl    0x218(%esi), %edi
        movl    0x21c(%esi), %ecx
        movl    $-1, %eax
        jecxz   4f
1:      xorb    (%edi), %al
        incl    %edi
        movl    $8, %edx
2:      shrl    $1, %eax
        jnc     3f
        xorl    $0xedb88320, %eax
3:      decl    %edx
        jnz     2b
        decl    %ecx
        jnz     1b
4:      notl    %eax
        ret

kernel_text:            .asciz  "\r\nWITNESS kernel=["
cmdline_text:           .asciz  "] cmdline=["
ramdisk_text:           .asciz  "] ramdisk="
crc_text:               .asciz  " crc32="
end_text:               .asciz  "\r\n"
