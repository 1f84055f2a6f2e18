-- The vectors of RFC 9235, sections 4 to 7: for each the whole IP packet, the traffic key and the MAC.
-- The two ISNs are those of the connection in whose section they stand; all use "testvector" as master key.
return {
  {
    section = "4.1.1", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0xfbfbab5a, server_isn = 0x11c14261,
    traffic_key = "6d63ef1b02fe1509d4b1402707fd7b0416abb74f",
    packet = "45e0004cdd0f4000ff06bf6b0a0b0c0dac1b1c1de9d700b3fbfbab5a00000000e002ffffcac40000"
      .. "020405b4010303080402080a00155ab7000000001d103d542ee437c6f8ede6d7c4d602e7",
    digest = "2ee437c6f8ede6d7c4d602e7",
  },
  {
    section = "4.1.2", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0xfbfbab5a, server_isn = 0x11c14261,
    traffic_key = "d9e217e4834a80ca2f3fd8de2e41b8e6797fea96",
    packet = "45e0004c65064000ff063775ac1b1c1d0a0b0c0d00b3e9d711c14261fbfbab5be012ffff37760000"
      .. "020405b4010303080402080a84a50beb00155ab71d10543deeab0fe24c3010815116b3be",
    digest = "eeab0fe24c3010815116b3be",
  },
  {
    section = "4.1.3", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0xfbfbab5a, server_isn = 0x11c14261,
    traffic_key = "d2e59c65ffc7b1a39347656463b70edc24a13d71",
    packet = "45e0008736a14000ff06659f0a0b0c0dac1b1c1de9d700b3fbfbab5b11c14262c0180104a1620000"
      .. "0101080a00155ac184a50beb1d103d547064cf998cc6c315c2c2e2bfffffffffffffffffffffffff"
      .. "ffffffff00430104dabf00b40a0b0c0d260206010400010001020280000202020002024200020641"
      .. "040000dabf02084006006400010100",
    digest = "7064cf998cc6c315c2c2e2bf",
  },
  {
    section = "4.1.4", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0xfbfbab5a, server_isn = 0x11c14261,
    traffic_key = "d9e217e4834a80ca2f3fd8de2e41b8e6797fea96",
    packet = "45e000871fa94000ff067c97ac1b1c1d0a0b0c0d00b3e9d711c14262fbfbab9ec0180100400c0000"
      .. "0101080a84a50bf500155ac11d10543da63f0ecbbb2e635c954deac7ffffffffffffffffffffffff"
      .. "ffffffff00430104dac000b4ac1b1c1d260206010400010001020280000202020002024200020641"
      .. "040000dac002084006006400010100",
    digest = "a63f0ecbbb2e635c954deac7",
  },
  {
    section = "4.2.1", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0xcb0efbee, server_isn = 0xacd5b5e1,
    traffic_key = "30eaa1560cf0be57dab5c045229fb10a423cd7ea",
    packet = "45e0004c53994000ff0648e20a0b0c0dac1b1c1dff1200b3cb0efbee00000000e002ffff541f0000"
      .. "020405b4010303080402080a00024cce000000001d103d5480af3cfeb85368937b8f9ec2",
    digest = "80af3cfeb85368937b8f9ec2",
  },
  {
    section = "4.2.2", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0xcb0efbee, server_isn = 0xacd5b5e1,
    traffic_key = "b5b2896bb3664e8176b0edc6e799524101a8307f",
    packet = "45e0004c32844000ff0669f7ac1b1c1d0a0b0c0d00b3ff12acd5b5e1cb0efbefe012ffff388e0000"
      .. "020405b4010303080402080a576772f300024cce1d10543d09306f9acea63a8c68cb9a70",
    digest = "09306f9acea63a8c68cb9a70",
  },
  {
    section = "4.2.3", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0xcb0efbee, server_isn = 0xacd5b5e1,
    traffic_key = "f3db1793d7910ecd806c34f155ea1f00345953e3",
    packet = "45e00087a8f54000ff06f34a0a0b0c0dac1b1c1dff1200b3cb0efbefacd5b5e2c01801046c450000"
      .. "0101080a00024cce576772f31d103d54710608cc696c03a271c93aa5ffffffffffffffffffffffff"
      .. "ffffffff00430104dabf00b40a0b0c0d260206010400010001020280000202020002024200020641"
      .. "040000dabf02084006006400010100",
    digest = "710608cc696c03a271c93aa5",
  },
  {
    section = "4.2.4", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0xcb0efbee, server_isn = 0xacd5b5e1,
    traffic_key = "b5b2896bb3664e8176b0edc6e799524101a8307f",
    packet = "45e0008754374000ff064809ac1b1c1d0a0b0c0d00b3ff12acd5b5e2cb0efc32c018010046b60000"
      .. "0101080a576772f300024cce1d10543d97766e48ac262de9ae61b4f9ffffffffffffffffffffffff"
      .. "ffffffff00430104dac000b4ac1b1c1d260206010400010001020280000202020002024200020641"
      .. "040000dac002084006006400010100",
    digest = "97766e48ac262de9ae61b4f9",
  },
  {
    section = "5.1.1", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x787a1ddf, server_isn = 0xfadd6de9,
    traffic_key = "f5b8b3d5f34fdbb6eb8d4ab9660e60e3",
    packet = "45e0004c7b9f4000ff0620dc0a0b0c0dac1b1c1dc4fa00b3787a1ddf00000000e002ffff5a0f0000"
      .. "020405b4010303080402080a00017ed0000000001d103d54e477e99c8040765498e55091",
    digest = "e477e99c8040765498e55091",
  },
  {
    section = "5.1.2", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x787a1ddf, server_isn = 0xfadd6de9,
    traffic_key = "4bc7571a486f3264bbd888474066b4b1",
    packet = "45e0004c4bad4000ff0650ceac1b1c1d0a0b0c0d00b3c4fafadd6de9787a1de0e012fffff3f20000"
      .. "020405b4010303080402080a93f4e9e800017ed01d10543dd6ada7bc4cdd536d1769db5f",
    digest = "d6ada7bc4cdd536d1769db5f",
  },
  {
    section = "5.1.3", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x787a1ddf, server_isn = 0xfadd6de9,
    traffic_key = "8c8ae0e8371ec5cbb97ea79d90418391",
    packet = "45e00087fb4f4000ff06a0f00a0b0c0dac1b1c1dc4fa00b3787a1de0fadd6deac018010495050000"
      .. "0101080a00017ed093f4e9e81d103d5477412742fa4dc433eff0973effffffffffffffffffffffff"
      .. "ffffffff00430104dabf00b40a0b0c0d260206010400010001020280000202020002024200020641"
      .. "040000dabf02084006006400010100",
    digest = "77412742fa4dc433eff0973e",
  },
  {
    section = "5.1.4", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x787a1ddf, server_isn = 0xfadd6de9,
    traffic_key = "4bc7571a486f3264bbd888474066b4b1",
    packet = "45e00087b9144000ff06e32bac1b1c1d0a0b0c0d00b3c4fafadd6dea787a1e23c0180100e7db0000"
      .. "0101080a93f4e9e800017ed01d10543df6d965a78382a74845f72dacffffffffffffffffffffffff"
      .. "ffffffff00430104dac000b4ac1b1c1d260206010400010001020280000202020002024200020641"
      .. "040000dac002084006006400010100",
    digest = "f6d965a78382a74845f72dac",
  },
  {
    section = "5.2.1", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0x389bed71, server_isn = 0xd3844a6f,
    traffic_key = "2cdbae1392c49449fa92c4509735d50e",
    packet = "45e0004cf22e4000ff06aa4c0a0b0c0dac1b1c1dda1c00b3389bed7100000000e002ffff70bf0000"
      .. "020405b4010303080402080a000185e1000000001d103d54c44e60cb31f7c0b1de3d2749",
    digest = "c44e60cb31f7c0b1de3d2749",
  },
  {
    section = "5.2.2", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0x389bed71, server_isn = 0xd3844a6f,
    traffic_key = "3ce67a551869506b6347b633c50a624a",
    packet = "45e0004c6cc04000ff062fbbac1b1c1d0a0b0c0d00b3da1cd3844a6f389bed72e012ffffe4450000"
      .. "020405b4010303080402080ace459838000185e11d10543d3a6abb207e49b1be7136db90",
    digest = "3a6abb207e49b1be7136db90",
  },
  {
    section = "5.2.3", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0x389bed71, server_isn = 0xd3844a6f,
    traffic_key = "035bc400a341ffe595f59f58005006ca",
    packet = "45e00087ee914000ff06adae0a0b0c0dac1b1c1dda1c00b3389bed72d3844a70c018010488510000"
      .. "0101080a000185e1ce4598381d103d547585e9e9d5c3ec857b96f837ffffffffffffffffffffffff"
      .. "ffffffff00430104dabf00b40a0b0c0d260206010400010001020280000202020002024200020641"
      .. "040000dabf02084006006400010100",
    digest = "7585e9e9d5c3ec857b96f837",
  },
  {
    section = "5.2.4", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0x389bed71, server_isn = 0xd3844a6f,
    traffic_key = "3ce67a551869506b6347b633c50a624a",
    packet = "45e000876a214000ff06321fac1b1c1d0a0b0c0d00b3da1cd3844a70389bed72c018010004490000"
      .. "0101080ace459838000185e11d10543d5c040fd9233304765c0982f4ffffffffffffffffffffffff"
      .. "ffffffff00430104dac000b4ac1b1c1d260206010400010001020280000202020002024200020641"
      .. "040000dac002084006006400010100",
    digest = "5c040fd9233304765c0982f4",
  },
  {
    section = "6.1.1", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0x176a833f, server_isn = 0x3f51994b,
    traffic_key = "625ec09d575836edc9b6428418bbf06989a361bb",
    packet = "6e0891dc00380640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f7e400b3176a833f00000000e002ffff47210000020405a0010303080402080a0041d08700000000"
      .. "1d103d549033ec3d7334b64c5edd039f",
    digest = "9033ec3d7334b64c5edd039f",
  },
  {
    section = "6.1.2", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0x176a833f, server_isn = 0x3f51994b,
    traffic_key = "e4a37ada2a0afca8711434913fe138c771ebcb4a",
    packet = "6e01009e00380640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f7e43f51994b176a8340e012ffffbfec0000020405a0010303080402080abd33129b0041d087"
      .. "1d10543df1cba346c3526163f71f1f55",
    digest = "f1cba346c3526163f71f1f55",
  },
  {
    section = "6.1.3", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0x176a833f, server_isn = 0x3f51994b,
    traffic_key = "1ed82975f4ea444c61580c5bd90dbd61bbc91b7e",
    packet = "6e0891dc00730640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f7e400b3176a83403f51994cc0180100329c00000101080a0041d091bd33129b1d103d54bf0805fe"
      .. "b4ac7b163d6fcdf2ffffffffffffffffffffffffffffffff00430104fde800b40101017926020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "bf0805feb4ac7b163d6fcdf2",
  },
  {
    section = "6.1.4", mac = "HMAC-SHA-1-96", include_options = true,
    client_isn = 0x176a833f, server_isn = 0x3f51994b,
    traffic_key = "e4a37ada2a0afca8711434913fe138c771ebcb4a",
    packet = "6e01009e00730640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f7e43f51994c176a8383c0180100ee6e00000101080abd3312a50041d0911d10543d6c48125c"
      .. "11335bab9a07a797ffffffffffffffffffffffffffffffff00430104fde800b40101017a26020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "6c48125c11335bab9a07a797",
  },
  {
    section = "6.2.1", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0x020c1e69, server_isn = 0xeba3734d,
    traffic_key = "31a3faf69effae52931b7f845467315c270a4edc",
    packet = "6e078fcd00380640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "c6cd00b3020c1e6900000000e002ffffa41a0000020405a0010303080402080a009db95b00000000"
      .. "1d103d54885698b0530ed4d5a15f8346",
    digest = "885698b0530ed4d5a15f8346",
  },
  {
    section = "6.2.2", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0x020c1e69, server_isn = 0xeba3734d,
    traffic_key = "405108947f996575e7bdbc26d40216a2c7fa91bd",
    packet = "6e0a7e1f00380640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3c6cdeba3734d020c1e6ae012ffff774d0000020405a0010303080402080a5ec99b70009db95b"
      .. "1d10543d3c546bad9743f12df8b8010d",
    digest = "3c546bad9743f12df8b8010d",
  },
  {
    section = "6.2.3", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0x020c1e69, server_isn = 0xeba3734d,
    traffic_key = "b34eed6a9396a669f1c4f4f57618f3656f52c7ab",
    packet = "6e078fcd00730640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "c6cd00b3020c1e6aeba3734ec018010083e600000101080a009db9655ec99b701d103d5448bd093b"
      .. "1924e001192f5bf0ffffffffffffffffffffffffffffffff00430104fde800b40101017926020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "48bd093b1924e001192f5bf0",
  },
  {
    section = "6.2.4", mac = "HMAC-SHA-1-96", include_options = false,
    client_isn = 0x020c1e69, server_isn = 0xeba3734d,
    traffic_key = "405108947f996575e7bdbc26d40216a2c7fa91bd",
    packet = "6e0a7e1f00730640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3c6cdeba3734e020c1eadc0180100716a00000101080a5ec99b7a009db9651d10543d559a8194"
      .. "45b4fde98d9e1317ffffffffffffffffffffffffffffffff00430104fde800b40101017a26020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "559a819445b4fde98d9e1317",
  },
  {
    section = "7.1.1", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x193cccec, server_isn = 0xa6744ecb,
    traffic_key = "fa5a2108882d39d0c71929175ab1b7b8",
    packet = "6e04a70600380640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f85a00b3193cccec00000000e002ffffde5d0000020405a0010303080402080a13e4ab9900000000"
      .. "1d103d5459b588107481ac6dc3927040",
    digest = "59b588107481ac6dc3927040",
  },
  {
    section = "7.1.2", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x193cccec, server_isn = 0xa6744ecb,
    traffic_key = "cf1b1e225e06a63616764a067b46f4b1",
    packet = "6e06152000380640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f85aa6744ecb193cccede012ffffeabb0000020405a0010303080402080a71daabc813e4ab99"
      .. "1d10543ddc2843a84e78a6bcfdc5ed80",
    digest = "dc2843a84e78a6bcfdc5ed80",
  },
  {
    section = "7.1.3", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x193cccec, server_isn = 0xa6744ecb,
    traffic_key = "6174c3557abed27574dba37185f00300",
    packet = "6e04a70600730640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f85a00b3193ccceda6744eccc0180100328000000101080a13e4aba371daabc81d103d547b6a455c"
      .. "0d4f5f01835baab3ffffffffffffffffffffffffffffffff00430104fde800b40101017926020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "7b6a455c0d4f5f01835baab3",
  },
  {
    section = "7.1.4", mac = "AES-128-CMAC-96", include_options = true,
    client_isn = 0x193cccec, server_isn = 0xa6744ecb,
    traffic_key = "cf1b1e225e06a63616764a067b46f4b1",
    packet = "6e06152000730640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f85aa6744ecc193ccd30c018010052f400000101080a71daabd313e4aba31d10543dc1069b7d"
      .. "fd3d693a6df3f289ffffffffffffffffffffffffffffffff00430104fde800b40101017a26020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "c1069b7dfd3d693a6df3f289",
  },
  {
    section = "7.2.1", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0xb01da74a, server_isn = 0xa6246145,
    traffic_key = "a94f511263e4093d35dd818c13bbbf53",
    packet = "6e093d7600380640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f28800b3b01da74a00000000e002ffff75ff0000020405a0010303080402080a14275b3b00000000"
      .. "1d103d543d45b4342de8bb1530847898",
    digest = "3d45b4342de8bb1530847898",
  },
  {
    section = "7.2.2", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0xb01da74a, server_isn = 0xa6246145,
    traffic_key = "92dea5bbc78b1d9f5b2952e9cd30642a",
    packet = "6e0c600a00380640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f288a6246145b01da74be012ffffa70c0000020405a0010303080402080a1782245b14275b3b"
      .. "1d10543d1d01f6c87c6f93acffa9d4b5",
    digest = "1d01f6c87c6f93acffa9d4b5",
  },
  {
    section = "7.2.3", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0xb01da74a, server_isn = 0xa6246145,
    traffic_key = "4fb2086e402c679079ed65d4bf97693d",
    packet = "6e093d7600730640fd000000000000000000000000000001fd000000000000000000000000000002"
      .. "f28800b3b01da74ba6246146c0180100c36d00000101080a14275b4f1782245b1d103d54290cf414"
      .. "ccb47a333276e7f8ffffffffffffffffffffffffffffffff00430104fde800b40101017926020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "290cf414ccb47a333276e7f8",
  },
  {
    section = "7.2.4", mac = "AES-128-CMAC-96", include_options = false,
    client_isn = 0xb01da74a, server_isn = 0xa6246145,
    traffic_key = "92dea5bbc78b1d9f5b2952e9cd30642a",
    packet = "6e0c600a00730640fd000000000000000000000000000002fd000000000000000000000000000001"
      .. "00b3f288a6246146b01da78ec0180100345100000101080a1782246514275b4f1d10543d99515ffc"
      .. "d5403499f619fd1bffffffffffffffffffffffffffffffff00430104fde800b40101017a26020601"
      .. "0400010001020280000202020002024200020641040000fde802084006006400010100",
    digest = "99515ffcd5403499f619fd1b",
  },
}
