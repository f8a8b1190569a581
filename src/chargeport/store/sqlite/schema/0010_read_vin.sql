-- An application that may read everything may read the VIN, too, which has a permission of its own now. The names are sorted.
UPDATE applications SET permissions = permissions || ' read_vin'
  WHERE permissions LIKE 'read_battery read_charge read_charge_locations read_charge_records read_location%';
UPDATE connections SET permissions = permissions || ' read_vin'
  WHERE permissions LIKE 'read_battery read_charge read_charge_locations read_charge_records read_location%';
